//! The Internet checksum (RFC 1071), and what a packet needs whose checksum is to be refused.
//! Deliberately absent: checking the packets that pass; the stacks do.

use std::net::IpAddr;

use crate::packet::{Packet, SCTP, UDP};
use crate::switch::VNET_BYTES;
use crate::vnet::{NEEDS_CSUM, Vnet};

#[cfg(test)]
mod tests;

/// Adds the big-endian words of `bytes` to a one's complement sum; an odd last byte counts as the upper half of a word.
/// The result is folded and not inverted.
///
/// The order of bytes does not matter for such a sum as long as it is turned in the end (RFC 1071, 2B), nor does the
/// width of what is added: so the host adds its own 32-bit words, of which 64 bits hold 16 GiB.
pub(crate) fn add(sum: u16, bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(4);
    let mut rest = [0; 4];
    rest[..words.remainder().len()].copy_from_slice(words.remainder());
    let begin = u64::from(sum.to_be()) + u64::from(u32::from_ne_bytes(rest));
    let total = words.fold(begin, |total, word| {
        total + u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
    });
    u16::from_be(fold(total))
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The sum of the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1) of a transport header and payload of `bytes` bytes.
pub(crate) fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, bytes: u16) -> u16 {
    let sum = add(u16::from(protocol), &bytes.to_be_bytes());
    [source, destination].into_iter().fold(sum, |sum, address| match address {
        IpAddr::V4(address) => add(sum, &address.octets()),
        IpAddr::V6(address) => add(sum, &address.octets()),
    })
}

/// As [`complete_read`], for a frame that was not read yet.
#[cfg(test)]
pub(crate) fn complete(frame: &mut [u8], ip_at: usize) -> bool {
    let packet = frame.get(ip_at..).and_then(Packet::read);
    packet.is_some_and(|packet| complete_read(frame, ip_at, &packet).is_some())
}

/// Turns a partial checksum, which stands for a promise between kernels, into one that a receiver checks. None where it cannot
/// be done, and the frame stays as it was: when what the vnet header says lies outside the packet, and for SCTP, whose checksum is
/// another.
fn complete_read(frame: &mut [u8], ip_at: usize, packet: &Packet) -> Option<()> {
    let vnet = Vnet::read(frame)?;
    if vnet.flags & NEEDS_CSUM != 0 {
        let start = VNET_BYTES + usize::from(vnet.csum_start);
        let at = usize::from(vnet.csum_offset);
        let summed = frame.get_mut(start..ip_at + packet.bytes)?;
        if packet.protocol == SCTP || start < ip_at || summed.len() < at + 2 {
            return None;
        }
        // Zero would mean that a UDP datagram has no checksum; both stand for the same sum (RFC 768).
        let checksum = match !add(0, summed) {
            0 => 0xffff,
            checksum => checksum,
        };
        summed[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
    frame[0] &= !NEEDS_CSUM;
    Some(())
}

/// Flips one bit behind the IP headers, chosen by `random`, in a way that the receiver's checksum refuses, if the packet
/// has one (a UDP datagram over IPv4 need not). `packet` is what was read at `ip_at`. Returns false, and leaves the frame alone, where nothing is behind them.
///
/// A partial checksum would be completed over the flipped bit, and a flag says that nobody needs to check: so the first
/// is completed before and the second cleared.
pub(crate) fn corrupt(frame: &mut [u8], ip_at: usize, packet: &Packet, random: u64) -> bool {
    let behind = ip_at + packet.transport..ip_at + packet.bytes;
    // With another length or a checksum of zero a datagram might be accepted.
    let spared = if packet.protocol == UDP && !packet.is_later_fragment { 4..8 } else { 0..0 };
    let bits =
        8 * (behind.len() - spared.len().min(behind.len().saturating_sub(spared.start))) as u64;
    if bits == 0 {
        return false;
    }
    // A sum that cannot be completed stays wrong, which is what is wanted.
    let _ = complete_read(frame, ip_at, packet);
    frame[0] = 0;
    let bit = (random % bits) as usize;
    let byte = if bit / 8 < spared.start { bit / 8 } else { bit / 8 + spared.len() };
    frame[behind.start + byte] ^= 1 << (bit % 8);
    true
}
