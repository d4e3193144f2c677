//! A receive ring shared with the kernel (TPACKET_V2). A packet socket's ordinary buffer is bounded
//! by the host's `rmem_max`, 212 kB by default, which a few super-packets fill; a ring is not.
//!
//! Every packet takes a whole slot, whatever its size. So a device has two rings, on two sockets with a filter each: many short slots,
//! and some long ones. Which of two packets came first is told by the stamps that the kernel puts into the slots.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{check, set_option};
use crate::switch::VNET_BYTES;

const BLOCK_BYTES: usize = 1 << 20;

/// Which packets a ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Frames of up to [`Size::SHORT_MAX`] bytes.
    Short,
    /// All others, up to the largest super-packet.
    Long,
}

impl Size {
    /// Bytes of an Ethernet frame: an ordinary packet with room for a tag.
    pub(crate) const SHORT_MAX: u32 = 1_600;

    fn slot_bytes(self) -> usize {
        match self {
            Self::Short => 2 << 10,
            // 64 KiB, the headers of the slot, and alignment.
            Self::Long => 66 << 10,
        }
    }

    fn blocks(self) -> usize {
        match self {
            Self::Short => 4,
            Self::Long => 8,
        }
    }

    fn slots_per_block(self) -> usize {
        BLOCK_BYTES / self.slot_bytes()
    }
}

/// What the next slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot<'a> {
    /// A whole frame, vnet header first.
    Frame(&'a [u8]),
    /// It did not fit.
    Cut,
}

/// The mapping, and the slot that is filled next.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: NonNull<u8>,
    size: Size,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone and may be read from any thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Gives the packet socket `fd`, not yet bound, a ring.
    pub(crate) fn new(fd: &OwnedFd, size: Size) -> io::Result<Self> {
        set_option(
            fd,
            libc::SOL_PACKET,
            libc::PACKET_VERSION,
            &(libc::tpacket_versions::TPACKET_V2 as libc::c_int),
        )?;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK_BYTES as libc::c_uint,
            tp_block_nr: size.blocks() as libc::c_uint,
            tp_frame_size: size.slot_bytes() as libc::c_uint,
            tp_frame_nr: (size.blocks() * size.slots_per_block()) as libc::c_uint,
        };
        set_option(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let bytes = BLOCK_BYTES * size.blocks();
        // SAFETY: a new shared mapping of the ring that was just asked for, at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        check(if memory == libc::MAP_FAILED { -1 } else { 0 })?;
        let memory = NonNull::new(memory.cast()).expect("a mapping that succeeded is not null");
        Ok(Self { memory, size, next: 0 })
    }

    fn slot(&self) -> NonNull<u8> {
        let per_block = self.size.slots_per_block();
        let offset =
            self.next / per_block * BLOCK_BYTES + self.next % per_block * self.size.slot_bytes();
        // SAFETY: `next` counts slots of the mapping, so the slot lies inside it.
        unsafe { self.memory.add(offset) }
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: the first field of a slot is its status word, aligned by the kernel, which both sides only touch atomically.
        unsafe { AtomicU32::from_ptr(self.slot().as_ptr().cast()) }
    }

    /// The header of the next slot, once the kernel has handed it over.
    fn header(&self) -> Option<libc::tpacket2_hdr> {
        let is_ours = self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        // SAFETY: the kernel has handed the slot over and writes no more; the header is plain data.
        is_ours.then(|| unsafe { self.slot().cast::<libc::tpacket2_hdr>().read() })
    }

    /// When the next frame arrived, on whatever clock the kernel stamps with. None while there is none.
    pub(crate) fn stamp(&self) -> Option<(u32, u32)> {
        self.header().map(|header| (header.tp_sec, header.tp_nsec))
    }

    /// Shows the next frame where the kernel has put it, and gives its slot back afterwards: nothing is copied. None while there is none.
    pub(crate) fn next<T>(&mut self, look: impl FnOnce(Slot<'_>) -> T) -> Option<T> {
        let header = self.header()?;
        let length = header.tp_snaplen as usize + VNET_BYTES;
        let from = usize::from(header.tp_mac).saturating_sub(VNET_BYTES);
        let seen = if header.tp_snaplen < header.tp_len || from + length > self.size.slot_bytes() {
            look(Slot::Cut)
        } else {
            // SAFETY: `from + length` was checked to lie inside the slot, which is ours until the store below.
            look(Slot::Frame(unsafe {
                std::slice::from_raw_parts(self.slot().as_ptr().add(from), length)
            }))
        };
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % (self.size.blocks() * self.size.slots_per_block());
        Some(seen)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size and nobody else refers to it.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BLOCK_BYTES * self.size.blocks()) };
    }
}
