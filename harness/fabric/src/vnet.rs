//! The `virtio_net_hdr` that begins every frame (virtio 1.2, 5.1.6), in the byte order of the host: it never leaves the machine.

use crate::switch::VNET_BYTES;

/// The checksum field holds the sum of the pseudo-header only; who sends the packet on to a wire completes it.
pub(crate) const NEEDS_CSUM: u8 = 1;

pub(crate) const GSO_NONE: u8 = 0;
pub(crate) const GSO_TCP4: u8 = 1;
pub(crate) const GSO_TCP6: u8 = 4;
/// UDP datagrams of one size, one behind the other (USO). The legacy type 3 cuts one datagram into IP fragments.
pub(crate) const GSO_UDP: u8 = 5;
/// A bit beside the type: the first segment carries CWR.
pub(crate) const GSO_ECN: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vnet {
    pub(crate) flags: u8,
    pub(crate) gso_type: u8,
    /// Bytes of all headers up to the payload, counted from behind the vnet header.
    pub(crate) header_bytes: u16,
    /// Payload bytes of every segment but the last.
    pub(crate) gso_size: u16,
    /// Where the checksum begins, counted from behind the vnet header.
    pub(crate) csum_start: u16,
    /// Where it is stored, counted from `csum_start`.
    pub(crate) csum_offset: u16,
}

impl Vnet {
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        let &[flags, gso_type, a, b, c, d, e, f, g, h] = frame.first_chunk::<VNET_BYTES>()?;
        let [header_bytes, gso_size, csum_start, csum_offset] =
            [[a, b], [c, d], [e, f], [g, h]].map(u16::from_ne_bytes);
        Some(Self { flags, gso_type, header_bytes, gso_size, csum_start, csum_offset })
    }

    pub(crate) fn bytes(self) -> [u8; VNET_BYTES] {
        let [[a, b], [c, d], [e, f], [g, h]] =
            [self.header_bytes, self.gso_size, self.csum_start, self.csum_offset]
                .map(u16::to_ne_bytes);
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }
}
