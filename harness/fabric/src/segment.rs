//! Virtual segmentation: a super-packet is what the kernel leaves to be cut into segments later, and on links with loss or
//! a rate each of those segments has its own fate. Runs of segments that share one travel on as one super-packet again.
//! Cuts as the kernel does (net/ipv4/tcp_offload.c, udp_offload.c, af_inet.c), but copies headers only.

use std::ops::Range;

use crate::checksum;
use crate::packet::{CWR, FIN, PSH, Packet, TCP, UDP};
use crate::switch::VNET_BYTES;
use crate::vnet::{GSO_ECN, GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP, NEEDS_CSUM, Vnet};

#[cfg(test)]
mod tests;

const UDP_HEADER: usize = 8;

/// A super-packet, read: what the kernel would have cut into segments.
#[derive(Clone, Debug)]
pub(crate) struct Super {
    /// Positions count from the start of the frame, vnet header included.
    ip_at: usize,
    is_v4: bool,
    transport: usize,
    is_tcp: bool,
    payload: Range<usize>,
    gso_size: usize,
    /// That of a run of several segments.
    vnet: Vnet,
    /// The sum of the pseudo-header, but for the length.
    pseudo_header: u16,
}

impl Super {
    /// None: it is one packet, or one that cannot be cut here (legacy UFO, fragments, anything inconsistent); the caller
    /// then treats it as one. `packet` is what stands at `ip_at` in `frame`.
    pub(crate) fn read(frame: &[u8], ip_at: usize, packet: &Packet) -> Option<Self> {
        let vnet = Vnet::read(frame)?;
        let is_v4 = packet.source.is_ipv4();
        let is_tcp = match (vnet.gso_type & !GSO_ECN, packet.protocol) {
            (GSO_TCP4, TCP) if is_v4 => true,
            (GSO_TCP6, TCP) if !is_v4 => true,
            (GSO_UDP, UDP) => false,
            _ => return None,
        };
        let behind_ip = packet.bytes - packet.transport;
        let (header, header_min) = if is_tcp {
            (behind_ip - packet.tcp?.payload_bytes, 20)
        } else {
            (UDP_HEADER, UDP_HEADER)
        };
        let transport = ip_at + packet.transport;
        let payload = transport + header..ip_at + packet.bytes;
        let is_super = vnet.gso_size > 0 && payload.len() > usize::from(vnet.gso_size);
        let fits =
            payload.end <= frame.len() && payload.start <= Head::BYTES_MAX && header >= header_min;
        if !is_super || !fits || packet.is_fragment {
            return None;
        }
        let vnet = Vnet {
            flags: NEEDS_CSUM,
            header_bytes: (payload.start - VNET_BYTES) as u16,
            csum_start: (transport - VNET_BYTES) as u16,
            csum_offset: if is_tcp { 16 } else { 6 },
            ..vnet
        };
        let pseudo_header = pseudo_header(frame, packet, &frame[transport..], vnet)?;
        Some(Self {
            ip_at,
            is_v4,
            transport,
            is_tcp,
            payload,
            gso_size: usize::from(vnet.gso_size),
            vnet,
            pseudo_header,
        })
    }

    /// Number of segments, at least 2.
    pub(crate) fn count(&self) -> usize {
        self.payload.len().div_ceil(self.gso_size)
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    /// Bytes of the IP packet that is segment `index`.
    pub(crate) fn ip_bytes(&self, index: usize) -> usize {
        self.payload.start - self.ip_at + self.cut(index, index + 1).len()
    }

    /// Writes the headers of the segments `first..end` as one frame into `head`, and returns where in `frame` its payload
    /// is. One segment is an ordinary packet, several are a super-packet of the same `gso_size`; both leave the
    /// checksum partial. `frame` is the one that was read, and `first < end <= count`.
    pub(crate) fn run(
        &self,
        frame: &[u8],
        first: usize,
        end: usize,
        head: &mut Head,
    ) -> Range<usize> {
        let payload = self.cut(first, end);
        head.len = self.payload.start;
        let bytes = &mut head.bytes[..head.len];
        bytes.copy_from_slice(&frame[..self.payload.start]);
        self.patch_ip(&mut bytes[self.ip_at..], first, payload.len());
        let keeps_cwr =
            self.patch_transport(&mut bytes[self.transport..], first, end, payload.len());
        let mut vnet = self.vnet;
        if end - first == 1 {
            (vnet.gso_type, vnet.gso_size) = (GSO_NONE, 0);
        } else if !keeps_cwr {
            vnet.gso_type &= !GSO_ECN;
        }
        bytes[..VNET_BYTES].copy_from_slice(&vnet.bytes());
        payload
    }

    fn cut(&self, first: usize, end: usize) -> Range<usize> {
        let at = |index: usize| (self.payload.start + index * self.gso_size).min(self.payload.end);
        at(first)..at(end)
    }

    /// `ip` is all headers from the IP header on.
    fn patch_ip(&self, ip: &mut [u8], first: usize, payload_bytes: usize) {
        let bytes = ip.len() + payload_bytes;
        if !self.is_v4 {
            ip[4..6].copy_from_slice(&((bytes - 40) as u16).to_be_bytes());
            return;
        }
        ip[2..4].copy_from_slice(&(bytes as u16).to_be_bytes());
        let identification = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(first as u16);
        ip[4..6].copy_from_slice(&identification.to_be_bytes());
        ip[10..12].fill(0);
        let header = usize::from(ip[0] & 0x0f) * 4;
        let checksum = !checksum::add(0, &ip[..header]);
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    }

    /// `header` is the transport header. Returns whether it says CWR.
    fn patch_transport(
        &self,
        header: &mut [u8],
        first: usize,
        end: usize,
        payload_bytes: usize,
    ) -> bool {
        let length = ((header.len() + payload_bytes) as u16).to_be_bytes();
        let partial = checksum::add(self.pseudo_header, &length).to_be_bytes();
        if !self.is_tcp {
            header[4..6].copy_from_slice(&length);
            header[6..8].copy_from_slice(&partial);
            return false;
        }
        let sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let sequence = sequence.wrapping_add((first * self.gso_size) as u32);
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        if end < self.count() {
            header[13] &= !(FIN | PSH);
        }
        if first > 0 {
            header[13] &= !CWR;
        }
        header[16..18].copy_from_slice(&partial);
        header[13] & CWR != 0
    }
}

/// The sum of the pseudo-header without the length, for a frame whose segments are to have the vnet header `of_runs`.
fn pseudo_header(frame: &[u8], packet: &Packet, transport: &[u8], of_runs: Vnet) -> Option<u16> {
    let length = u16::try_from(packet.bytes - packet.transport).ok()?;
    if packet.protocol == UDP && transport[4..6] != length.to_be_bytes() {
        return None;
    }
    let stored = &transport[usize::from(of_runs.csum_offset)..][..2];
    let vnet = Vnet::read(frame)?;
    if vnet.flags & NEEDS_CSUM != 0 {
        let is_where_it_belongs =
            (vnet.csum_start, vnet.csum_offset) == (of_runs.csum_start, of_runs.csum_offset);
        // Subtracting is adding the complement.
        return is_where_it_belongs.then(|| checksum::add(!length, stored));
    }
    // A source route puts another destination into the pseudo-header; it would stand in an option or an extension header.
    let is_plain = packet.transport == if packet.source.is_ipv4() { 20 } else { 40 };
    let has_checksum = packet.protocol == TCP || stored != [0, 0];
    (is_plain && has_checksum)
        .then(|| checksum::pseudo_header(packet.source, packet.destination, packet.protocol, 0))
}

/// The headers of a frame, vnet header first.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Head {
    /// Vnet 10, Ethernet 14, IPv4 60 or IPv6 40, TCP 60, and at least 68 for extension headers.
    const BYTES_MAX: usize = 192;

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; Self::BYTES_MAX], len: 0 }
    }
}
