//! Room for packets that wait: blocks of one size in one stretch of memory, chained where a packet needs several. Address space for the
//! whole cap is reserved at the start and touched only when it is used, so that nothing is allocated while packets pass.

use std::io::IoSlice;

use crate::counters::Tally;
use crate::packet::Class;

/// Holds an ordinary packet with its headers; a super-packet takes a chain of them.
const BLOCK_BYTES: usize = 2_048;
/// Blocks of the largest frame, 64 KiB and headers, rounded up.
pub(crate) const PARTS_MAX: usize = 34;
/// No block: the end of a chain or list.
pub(crate) const NONE: u32 = u32::MAX;

/// Memory that a frame takes, in whole blocks.
pub(crate) fn room_bytes(frame_bytes: usize) -> usize {
    blocks_of(frame_bytes) * BLOCK_BYTES
}

fn blocks_of(frame_bytes: usize) -> usize {
    frame_bytes.div_ceil(BLOCK_BYTES).max(1)
}

/// A stored packet: the number of its first block.
pub(crate) type Stored = u32;

/// What is known of a packet while it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// When it has left the serialiser; its arrival where there is no rate.
    pub(crate) sent: u64,
    pub(crate) due: u64,
    pub(crate) class: Class,
    /// What it counts for: one packet, or the segments of a super-packet that was taken apart.
    pub(crate) load: Tally,
    /// Index of its link.
    pub(crate) state: u32,
    /// The next one in whatever list it is.
    pub(crate) next: u32,
    frame_bytes: u32,
}

impl Waiting {
    pub(crate) fn new(class: Class, load: Tally, state: u32, sent: u64, due: u64) -> Self {
        Self { sent, due, class, load, state, next: NONE, frame_bytes: 0 }
    }

    /// Bytes of the frame, its own headers included.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.frame_bytes as usize
    }
}

#[derive(Debug)]
pub(crate) struct Slab {
    memory: Vec<u8>,
    /// Of each block that was ever used: the next of its chain, or of the free ones.
    chain: Vec<u32>,
    /// As long as `chain`; only the entry of a first block means something.
    waiting: Vec<Waiting>,
    free: u32,
    blocks: usize,
}

impl Slab {
    /// At most so many bytes of packets.
    pub(crate) fn new(bytes: usize) -> Self {
        let blocks = bytes / BLOCK_BYTES;
        Self {
            memory: vec![0; blocks * BLOCK_BYTES],
            chain: Vec::with_capacity(blocks),
            waiting: Vec::with_capacity(blocks),
            free: NONE,
            blocks,
        }
    }

    /// Keeps a packet, given in two parts; None when the cap is reached.
    pub(crate) fn store(&mut self, parts: [&[u8]; 2], mut waiting: Waiting) -> Option<Stored> {
        let bytes = parts[0].len() + parts[1].len();
        let blocks = blocks_of(bytes);
        if blocks > PARTS_MAX {
            return None;
        }
        let mut first = NONE;
        for _ in 0..blocks {
            let Some(block) = self.take() else {
                self.give_chain(first);
                return None;
            };
            self.chain[block as usize] = first;
            first = block;
        }
        let (mut block, mut at) = (first, 0);
        for mut part in parts {
            while !part.is_empty() {
                if at == BLOCK_BYTES {
                    (block, at) = (self.chain[block as usize], 0);
                }
                let (now, later) = part.split_at(part.len().min(BLOCK_BYTES - at));
                let start = block as usize * BLOCK_BYTES + at;
                self.memory[start..start + now.len()].copy_from_slice(now);
                at += now.len();
                part = later;
            }
        }
        waiting.frame_bytes = bytes as u32;
        self.waiting[first as usize] = waiting;
        Some(first)
    }

    pub(crate) fn waiting(&self, stored: Stored) -> &Waiting {
        &self.waiting[stored as usize]
    }

    pub(crate) fn waiting_mut(&mut self, stored: Stored) -> &mut Waiting {
        &mut self.waiting[stored as usize]
    }

    /// The frame, block by block.
    pub(crate) fn parts<'a>(
        &'a self,
        stored: Stored,
        parts: &mut [IoSlice<'a>; PARTS_MAX],
    ) -> usize {
        let mut left = self.waiting(stored).frame_bytes();
        let (mut block, mut used) = (stored, 0);
        while left > 0 {
            let start = block as usize * BLOCK_BYTES;
            let bytes = left.min(BLOCK_BYTES);
            parts[used] = IoSlice::new(&self.memory[start..start + bytes]);
            used += 1;
            left -= bytes;
            block = self.chain[block as usize];
        }
        used
    }

    pub(crate) fn give_back(&mut self, stored: Stored) {
        let blocks = blocks_of(self.waiting(stored).frame_bytes());
        let mut last = stored;
        for _ in 1..blocks {
            last = self.chain[last as usize];
        }
        self.chain[last as usize] = self.free;
        self.free = stored;
    }

    /// A chain that was not finished.
    fn give_chain(&mut self, mut block: u32) {
        while block != NONE {
            let next = std::mem::replace(&mut self.chain[block as usize], self.free);
            self.free = block;
            block = next;
        }
    }

    fn take(&mut self) -> Option<u32> {
        if self.free != NONE {
            let block = self.free;
            self.free = self.chain[block as usize];
            return Some(block);
        }
        let block = self.chain.len();
        (block < self.blocks).then(|| {
            // Both have room for every block from the start.
            self.chain.push(NONE);
            self.waiting.push(Waiting::new(Class::default(), Tally::default(), 0, 0, 0));
            block as u32
        })
    }
}

/// Packets of one link in the order in which they leave, chained through the slab.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fifo {
    first: u32,
    last: u32,
}

impl Default for Fifo {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl Fifo {
    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    pub(crate) fn first(&self) -> Option<Stored> {
        (self.first != NONE).then_some(self.first)
    }

    pub(crate) fn last(&self) -> Option<Stored> {
        (self.last != NONE).then_some(self.last)
    }

    pub(crate) fn push(&mut self, slab: &mut Slab, stored: Stored) {
        slab.waiting_mut(stored).next = NONE;
        match self.last() {
            None => self.first = stored,
            Some(last) => slab.waiting_mut(last).next = stored,
        }
        self.last = stored;
    }

    pub(crate) fn pop(&mut self, slab: &Slab) -> Option<Stored> {
        let first = self.first()?;
        self.first = slab.waiting(first).next;
        if self.first == NONE {
            self.last = NONE;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        Waiting::new(Class::default(), Tally::default(), 0, 0, 0)
    }

    fn bytes_of(slab: &Slab, stored: Stored) -> Vec<u8> {
        let mut parts = [IoSlice::new(&[]); PARTS_MAX];
        let used = slab.parts(stored, &mut parts);
        parts[..used].iter().flat_map(|part| part.to_vec()).collect()
    }

    #[test]
    fn what_was_stored_comes_back_whatever_its_size() {
        let mut slab = Slab::new(1 << 20);
        let sizes = [0, 1, 2_047, 2_048, 2_049, 6_000, 65_550];
        let frame = |bytes: usize| (0..bytes).map(|at| (at * 7 + bytes) as u8).collect::<Vec<_>>();
        let stored: Vec<Stored> = sizes
            .iter()
            .map(|&bytes| {
                let frame = frame(bytes);
                let (head, body) = frame.split_at(bytes.min(54));
                slab.store([head, body], waiting()).expect("there is room")
            })
            .collect();
        for (&stored, bytes) in stored.iter().zip(sizes) {
            assert_eq!(bytes_of(&slab, stored), frame(bytes));
        }
    }

    #[test]
    fn the_cap_holds_and_what_is_given_back_is_used_again() {
        let mut slab = Slab::new(10 * BLOCK_BYTES);
        let frame = [1; 3 * BLOCK_BYTES];
        for _ in 0..100 {
            let stored: Vec<_> =
                (0..3).filter_map(|_| slab.store([&frame, &[]], waiting())).collect();
            assert_eq!(stored.len(), 3);
            assert_eq!(
                slab.store([&frame[..BLOCK_BYTES + 1], &[]], waiting()),
                None,
                "two blocks where one is left"
            );
            let last = slab.store([&frame[..9], &[]], waiting()).expect("the last block");
            assert_eq!(slab.store([&[], &[]], waiting()), None);
            for stored in stored.into_iter().chain([last]) {
                slab.give_back(stored);
            }
        }
    }

    #[test]
    fn a_fifo_keeps_its_order() {
        let (mut slab, mut fifo) = (Slab::new(1 << 20), Fifo::default());
        for round in 0..3u8 {
            for number in 0..5 {
                let stored = slab.store([&[round, number], &[]], waiting()).expect("there is room");
                fifo.push(&mut slab, stored);
            }
            for number in 0..5 {
                let stored = fifo.pop(&slab).expect("five are in it");
                assert_eq!(bytes_of(&slab, stored), [round, number]);
                slab.give_back(stored);
            }
            assert!(fifo.is_empty() && fifo.pop(&slab).is_none());
        }
    }
}
