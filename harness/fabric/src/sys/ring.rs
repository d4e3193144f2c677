//! A receive ring shared with the kernel (TPACKET_V2). A packet socket's ordinary buffer is bounded
//! by the host's `rmem_max`, 212 kB by default, which a few super-packets fill; a ring is not.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{check, set_option};
use crate::switch::VNET_BYTES;

const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 8;
/// Holds the largest super-packet of a veth made by `Netlink::add_veth`, 16 KiB, with its headers.
const SLOT_BYTES: usize = 20 << 10;
const SLOTS_PER_BLOCK: usize = BLOCK_BYTES / SLOT_BYTES;
const SLOTS: usize = BLOCKS * SLOTS_PER_BLOCK;

/// What the next slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot<'a> {
    Empty,
    /// A whole frame, vnet header first.
    Frame(&'a [u8]),
    /// It was larger than a slot, and waits whole in the socket's ordinary buffer.
    Oversized,
    /// It was larger than a slot, and did not fit into the ordinary buffer either.
    Lost,
}

/// The mapping, and the slot that is filled next.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: NonNull<u8>,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone and may be read from any thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Gives the packet socket `fd`, not yet bound, a ring.
    pub(crate) fn new(fd: &OwnedFd) -> io::Result<Self> {
        set_option(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as libc::c_int))?;
        set_option(fd, libc::SOL_PACKET, libc::PACKET_COPY_THRESH, &1)?;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK_BYTES as libc::c_uint,
            tp_block_nr: BLOCKS as libc::c_uint,
            tp_frame_size: SLOT_BYTES as libc::c_uint,
            tp_frame_nr: SLOTS as libc::c_uint,
        };
        set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let bytes = BLOCK_BYTES * BLOCKS;
        // SAFETY: a new shared mapping of the ring that was just asked for, at an address of the kernel's choice.
        let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
        check(if memory == libc::MAP_FAILED { -1 } else { 0 })?;
        let memory = NonNull::new(memory.cast()).expect("a mapping that succeeded is not null");
        Ok(Self { memory, next: 0 })
    }

    /// Shows the next frame where the kernel has put it, and gives its slot back afterwards: nothing is copied.
    pub(crate) fn next<T>(&mut self, look: impl FnOnce(Slot<'_>) -> T) -> T {
        let offset = self.next / SLOTS_PER_BLOCK * BLOCK_BYTES + self.next % SLOTS_PER_BLOCK * SLOT_BYTES;
        // SAFETY: `next < SLOTS`, so the slot lies inside the mapping; the kernel aligns its header.
        let slot = unsafe { self.memory.add(offset) };
        // SAFETY: the first field of a slot is its status word, which both sides only touch atomically.
        let status = unsafe { AtomicU32::from_ptr(slot.as_ptr().cast()) };
        let state = status.load(Ordering::Acquire);
        if state & libc::TP_STATUS_USER == 0 {
            return look(Slot::Empty);
        }
        // SAFETY: the kernel has handed the slot over and writes no more; the header is plain data.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let length = header.tp_snaplen as usize + VNET_BYTES;
        let from = usize::from(header.tp_mac).saturating_sub(VNET_BYTES);
        let seen = if state & libc::TP_STATUS_COPY != 0 {
            look(Slot::Oversized)
        } else if header.tp_snaplen < header.tp_len || from + length > SLOT_BYTES {
            look(Slot::Lost)
        } else {
            // SAFETY: `from + length` was checked to lie inside the slot, which is ours until the store below.
            look(Slot::Frame(unsafe { std::slice::from_raw_parts(slot.as_ptr().add(from), length) }))
        };
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % SLOTS;
        seen
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size and nobody else refers to it.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BLOCK_BYTES * BLOCKS) };
    }
}
