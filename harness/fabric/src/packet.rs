//! Reads what the switch needs of an IPv4 or IPv6 packet. Never panics: unreadable is `None`.
//! Deliberately absent: checksums (the stacks check them) and reassembly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::policy::CANARY_PORT;

#[cfg(test)]
mod tests;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP6: u8 = 58;
pub(crate) const SCTP: u8 = 132;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const CWR: u8 = 0x80;

/// An IP packet, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// Where the transport header begins, counted from the IP header.
    pub(crate) transport: usize,
    /// IP header and payload, without padding behind it.
    pub(crate) bytes: usize,
    /// Any fragment, also the first.
    pub(crate) is_fragment: bool,
    /// A fragment that carries no transport header.
    pub(crate) is_later_fragment: bool,
    pub(crate) class: Class,
    pub(crate) tcp: Option<Tcp>,
}

/// What rules and counters ask about a packet; kept while it waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Class {
    pub(crate) bytes: usize,
    /// Source and destination port. Later fragments have none, so a cut by port does not see them;
    /// without their first fragment they are never delivered.
    pub(crate) ports: Option<[u16; 2]>,
    pub(crate) is_canary: bool,
    pub(crate) is_established: bool,
    /// Something that an application wrote, as far as can be seen: all but ICMP and TCP's own signals.
    pub(crate) carries_data: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp {
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    pub(crate) payload_bytes: usize,
}

/// What the headers of both versions say about what is behind them.
struct Network {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    transport: usize,
    is_fragment: bool,
    is_later_fragment: bool,
}

impl Packet {
    /// Reads `ip`, which begins with the IP header and may have padding behind the packet.
    pub(crate) fn read(ip: &[u8]) -> Option<Self> {
        match ip.first()? >> 4 {
            4 => Self::read_v4(ip),
            6 => Self::read_v6(ip),
            _ => None,
        }
    }

    fn read_v4(ip: &[u8]) -> Option<Self> {
        let header = usize::from(ip[0] & 0x0f) * 4;
        let bytes = usize::from(half(ip, 2)?);
        if header < 20 || bytes < header || bytes > ip.len() {
            return None;
        }
        let fragment = half(ip, 6)?;
        let network = Network {
            source: Ipv4Addr::from(word(ip, 12)?).into(),
            destination: Ipv4Addr::from(word(ip, 16)?).into(),
            protocol: ip[9],
            transport: header,
            is_fragment: fragment & 0x3fff != 0,
            is_later_fragment: fragment & 0x1fff != 0,
        };
        Some(Self::with_transport(&ip[..bytes], network))
    }

    fn read_v6(ip: &[u8]) -> Option<Self> {
        const HOP_BY_HOP: u8 = 0;
        const ROUTING: u8 = 43;
        const FRAGMENT: u8 = 44;
        const AUTHENTICATION: u8 = 51;
        const DESTINATION: u8 = 60;
        let bytes = 40 + usize::from(half(ip, 4)?);
        let ip = ip.get(..bytes)?;
        let address = |at: usize| {
            Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?).into())
        };
        let mut network = Network {
            source: address(8)?,
            destination: address(24)?,
            protocol: ip[6],
            transport: 40,
            is_fragment: false,
            is_later_fragment: false,
        };
        while !network.is_later_fragment {
            let at = network.transport;
            let Some(&[next, length]) = ip.get(at..at + 2) else { break };
            network.transport += match network.protocol {
                HOP_BY_HOP | ROUTING | DESTINATION => 8 + usize::from(length) * 8,
                AUTHENTICATION => 8 + usize::from(length) * 4,
                FRAGMENT => {
                    network.is_fragment = true;
                    network.is_later_fragment = half(ip, at + 2)? & 0xfff8 != 0;
                    8
                }
                _ => break,
            };
            network.protocol = next;
        }
        network.transport = network.transport.min(bytes);
        Some(Self::with_transport(ip, network))
    }

    fn with_transport(ip: &[u8], network: Network) -> Self {
        let Network { source, destination, protocol, transport, is_fragment, is_later_fragment } =
            network;
        let payload = if is_later_fragment { &[] } else { &ip[transport..] };
        let ports = match protocol {
            TCP | UDP | SCTP => half(payload, 0).zip(half(payload, 2)).map(<[u16; 2]>::from),
            _ => None,
        };
        let tcp = if protocol == TCP { read_tcp(payload) } else { None };
        let class = Class {
            bytes: ip.len(),
            ports,
            is_canary: protocol == UDP && ports.is_some_and(|ports| ports.contains(&CANARY_PORT)),
            is_established: tcp.is_some_and(|tcp| tcp.flags & (SYN | RST | ACK) == ACK),
            carries_data: match protocol {
                _ if is_later_fragment => true,
                ICMP | ICMP6 => false,
                _ => tcp.is_none_or(|tcp| tcp.payload_bytes > 0),
            },
        };
        let bytes = ip.len();
        Self {
            source,
            destination,
            protocol,
            transport,
            bytes,
            is_fragment,
            is_later_fragment,
            class,
            tcp,
        }
    }

    /// Nobody asked for it: a kernel's own multicast, broadcast and link-local packets.
    pub(crate) fn is_chatter(&self) -> bool {
        match self.destination {
            IpAddr::V4(to) => to.is_multicast() || to.is_broadcast() || to.is_link_local(),
            IpAddr::V6(to) => to.is_multicast() || to.is_unicast_link_local(),
        }
    }
}

fn read_tcp(segment: &[u8]) -> Option<Tcp> {
    let header = usize::from(segment.get(12)? >> 4) * 4;
    Some(Tcp {
        sequence: word(segment, 4)?,
        acknowledgement: word(segment, 8)?,
        flags: *segment.get(13)?,
        payload_bytes: segment.len().checked_sub(header)?,
    })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
