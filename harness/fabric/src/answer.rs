//! What the sender of a rejected packet is told: RST for TCP (RFC 9293, 3.10.7.1), ICMP port
//! unreachable for the rest (RFC 792, RFC 4443), in the name of the packet's destination.

use std::net::IpAddr;

use crate::packet::{ACK, FIN, ICMP, ICMP6, Packet, RST, SYN, TCP};

const HOP_LIMIT: u8 = 64;

/// The IP packet that answers `packet`, whose bytes are `ip`. None where the RFCs forbid an answer:
/// to a RST, to an ICMP error, to a later fragment, to multicast.
pub(crate) fn answer(ip: &[u8], packet: &Packet) -> Option<Vec<u8>> {
    if packet.is_later_fragment || packet.is_chatter() {
        return None;
    }
    match (packet.protocol, packet.source) {
        (TCP, _) => reset(packet),
        (ICMP, IpAddr::V4(_)) if !matches!(ip.get(packet.transport), Some(0 | 8)) => None,
        (ICMP6, IpAddr::V6(_)) if !matches!(ip.get(packet.transport), Some(128 | 129)) => None,
        (_, IpAddr::V4(_)) => Some(unreachable(ip, packet, ICMP, [3, 3], 576)),
        (_, IpAddr::V6(_)) => Some(unreachable(ip, packet, ICMP6, [1, 4], 1280)),
    }
}

fn reset(packet: &Packet) -> Option<Vec<u8>> {
    let tcp = packet.tcp?;
    if tcp.flags & RST != 0 {
        return None;
    }
    let [from, to] = packet.class.ports?;
    let (sequence, acknowledgement, flags) = if tcp.flags & ACK != 0 {
        (tcp.acknowledgement, 0, RST)
    } else {
        let length = tcp.payload_bytes as u32 + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
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

fn unreachable(ip: &[u8], packet: &Packet, protocol: u8, kind: [u8; 2], bytes_max: usize) -> Vec<u8> {
    let header = if packet.source.is_ipv4() { 20 } else { 40 };
    let quoted = packet.bytes.min(ip.len()).min(bytes_max - header - 8);
    let mut message = vec![kind[0], kind[1], 0, 0, 0, 0, 0, 0];
    message.extend(&ip[..quoted]);
    wrap(packet, protocol, message, 2)
}

/// Puts an IP header in front of `payload`, from the packet's destination to its source, and fills in
/// the checksum at `checksum_at`.
fn wrap(packet: &Packet, protocol: u8, mut payload: Vec<u8>, checksum_at: usize) -> Vec<u8> {
    let length = payload.len() as u16;
    let mut sum = 0;
    if protocol != ICMP {
        sum = add(sum, &octets(packet.destination));
        sum = add(sum, &octets(packet.source)) + u32::from(protocol) + u32::from(length);
    }
    let checksum = fold(add(sum, &payload));
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
        let checksum = fold(add(0, &ip));
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

/// One's complement sum of big-endian words (RFC 1071). At most 64 KiB, so 32 bits cannot overflow.
fn add(sum: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(sum, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
