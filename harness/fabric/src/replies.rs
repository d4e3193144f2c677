//! What the sender of a rejected packet is told: RST for TCP (RFC 9293, 3.10.7.1), ICMP port
//! unreachable for the rest (RFC 792, RFC 4443), in the name of the packet's destination.

use std::net::IpAddr;

use crate::checksum;
use crate::packet::{ACK, FIN, ICMP, ICMP6, Packet, RST, SYN, TCP};

#[cfg(test)]
mod tests;

const HOP_LIMIT: u8 = 64;

/// The IP packet that answers `packet`, whose bytes are `ip`. None where the RFCs forbid an answer:
/// to a RST, to an ICMP error, to a later fragment, to multicast.
pub(crate) fn reply(ip: &[u8], packet: &Packet) -> Option<Vec<u8>> {
    if !may_be_answered(ip, packet) {
        return None;
    }
    match (packet.protocol, packet.source) {
        (TCP, _) => reset(packet),
        (_, IpAddr::V4(_)) => Some(error(ip, packet, ICMP, [3, 3], 0)),
        (_, IpAddr::V6(_)) => Some(error(ip, packet, ICMP6, [1, 4], 0)),
    }
}

/// What a router tells the sender of a packet that does not fit into `mtu` bytes: fragmentation needed with the MTU of
/// the next hop (RFC 1191, 4), packet too big (RFC 4443, 3.2). None under the rules of [`answer`].
///
/// An IPv4 packet that may be fragmented (DF not set) is answered too, where a router would cut it into fragments: the fabric makes none.
pub(crate) fn too_big(ip: &[u8], packet: &Packet, mtu: u32) -> Option<Vec<u8>> {
    if !may_be_answered(ip, packet) {
        return None;
    }
    Some(match packet.source {
        // The field has 16 bits, as the length of a packet.
        IpAddr::V4(_) => error(ip, packet, ICMP, [3, 4], mtu.min(0xffff)),
        IpAddr::V6(_) => error(ip, packet, ICMP6, [2, 0], mtu),
    })
}

/// RFC 1122, 3.2.2; RFC 4443, 2.4(e); RFC 9293, 3.10.7.1.
fn may_be_answered(ip: &[u8], packet: &Packet) -> bool {
    if packet.is_later_fragment || packet.is_chatter() {
        return false;
    }
    match packet.protocol {
        TCP => packet.tcp.is_none_or(|tcp| tcp.flags & RST == 0),
        ICMP if packet.source.is_ipv4() => matches!(ip.get(packet.transport), Some(0 | 8)),
        ICMP6 if packet.source.is_ipv6() => matches!(ip.get(packet.transport), Some(128 | 129)),
        _ => true,
    }
}

fn reset(packet: &Packet) -> Option<Vec<u8>> {
    let tcp = packet.tcp?;
    let [from, to] = packet.class.ports?;
    let (sequence, acknowledgement, flags) = if tcp.flags & ACK != 0 {
        (tcp.acknowledgement, 0, RST)
    } else {
        let length = tcp.payload_bytes as u32
            + u32::from(tcp.flags & SYN != 0)
            + u32::from(tcp.flags & FIN != 0);
        (0, tcp.sequence.wrapping_add(length), RST | ACK)
    };
    let mut segment = Vec::with_capacity(20);
    segment.extend(to.to_be_bytes());
    segment.extend(from.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgement.to_be_bytes());
    segment.extend([5 << 4, flags, 0, 0, 0, 0, 0, 0]);
    Some(wrap(packet, TCP, segment, 16))
}

/// An ICMP error; `word` is what its kind says in the second half of its header. The quote fills the whole up to what every
/// host can take: 576 bytes (RFC 1812, 4.3.2.3), 1280 over IPv6.
fn error(ip: &[u8], packet: &Packet, protocol: u8, [kind, code]: [u8; 2], word: u32) -> Vec<u8> {
    let quoted_max = if packet.source.is_ipv4() { 576 - 20 - 8 } else { 1280 - 40 - 8 };
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(&ip[..packet.bytes.min(ip.len()).min(quoted_max)]);
    wrap(packet, protocol, message, 2)
}

/// Puts an IP header in front of `payload`, from the packet's destination to its source, and fills in
/// the checksum at `checksum_at`.
fn wrap(packet: &Packet, protocol: u8, mut payload: Vec<u8>, checksum_at: usize) -> Vec<u8> {
    let length = payload.len() as u16;
    let sum = if protocol == ICMP {
        0
    } else {
        checksum::pseudo_header(packet.destination, packet.source, protocol, length)
    };
    let checksum = !checksum::add(sum, &payload);
    payload[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());

    let mut ip = Vec::with_capacity(40 + payload.len());
    if packet.source.is_ipv4() {
        ip.extend([0x45, 0]);
        ip.extend((20 + length).to_be_bytes());
        ip.extend([0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0]);
    } else {
        ip.extend([0x60, 0, 0, 0]);
        ip.extend(length.to_be_bytes());
        ip.extend([protocol, HOP_LIMIT]);
    }
    ip.extend(octets(packet.destination));
    ip.extend(octets(packet.source));
    if packet.source.is_ipv4() {
        let checksum = !checksum::add(0, &ip);
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
    ip.extend(payload);
    ip
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
