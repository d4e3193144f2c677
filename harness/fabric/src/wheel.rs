//! A hierarchical timing wheel (Varghese and Lauck, 1987) for links whose packets overtake each other: insertion and release cost the
//! same with ten packets waiting and with a hundred thousand, where a heap slows down. Packets are chained through the slab.

use crate::slab::{Fifo, Slab, Stored};

/// Nanoseconds of a tick: a packet of a reordering link leaves up to so much after its due time, never before.
pub(crate) const TICK_NS: u64 = 1 << TICK_BITS;
const TICK_BITS: u32 = 10;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// 64^9 ticks: centuries, so that no clock ever leaves them.
const LEVELS: usize = 9;

#[derive(Debug)]
pub(crate) struct Wheel {
    /// The tick up to which everything has left.
    current: u64,
    slots: Box<[[Fifo; SLOTS]; LEVELS]>,
    /// A bit per slot that holds something.
    occupied: [u64; LEVELS],
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            current: 0,
            slots: Box::new([[Fifo::default(); SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
        }
    }
}

impl Wheel {
    pub(crate) fn insert(&mut self, slab: &mut Slab, stored: Stored, due: u64) {
        const FAR: u64 = (1 << (SLOT_BITS as usize * LEVELS)) - 1;
        let tick = due.div_ceil(TICK_NS).max(self.current).min(self.current | FAR);
        // The highest digit in which the tick differs from the present one decides about the level.
        let differs = (self.current ^ tick) | (SLOTS as u64 - 1);
        let level = ((63 - differs.leading_zeros()) / SLOT_BITS) as usize;
        let slot = (tick >> (SLOT_BITS as usize * level)) as usize % SLOTS;
        self.slots[level][slot].push(slab, stored);
        self.occupied[level] |= 1 << slot;
    }

    /// When to look again, in nanoseconds: never later than the next packet is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.earliest().map(|(_, _, start)| start << TICK_BITS)
    }

    /// The next packet that is due.
    pub(crate) fn pop(&mut self, slab: &mut Slab, now: u64) -> Option<Stored> {
        loop {
            let (level, slot, start) =
                self.earliest().filter(|(_, _, start)| *start <= now >> TICK_BITS)?;
            self.current = self.current.max(start);
            if level == 0 {
                let stored = self.slots[0][slot].pop(slab);
                if self.slots[0][slot].is_empty() {
                    self.occupied[0] &= !(1 << slot);
                }
                return stored;
            }
            // Its time has come nearer: each goes to a finer level.
            self.occupied[level] &= !(1 << slot);
            let mut coarse = std::mem::take(&mut self.slots[level][slot]);
            while let Some(stored) = coarse.pop(slab) {
                let due = slab.waiting(stored).due;
                self.insert(slab, stored, due);
            }
        }
    }

    /// Takes everything out, in no particular order.
    pub(crate) fn drain(&mut self, slab: &mut Slab, mut visit: impl FnMut(&mut Slab, Stored)) {
        for level in 0..LEVELS {
            while self.occupied[level] != 0 {
                let slot = self.occupied[level].trailing_zeros() as usize;
                self.occupied[level] &= !(1 << slot);
                let mut list = std::mem::take(&mut self.slots[level][slot]);
                while let Some(stored) = list.pop(slab) {
                    visit(slab, stored);
                }
            }
        }
    }

    /// Level, slot and first tick of what comes next. A finer level is always earlier than a coarser one.
    fn earliest(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let shift = SLOT_BITS as usize * level;
        let slot = self.occupied[level].trailing_zeros() as usize;
        // Everything of a level shares the digits above it with the present tick.
        let above = self.current >> (shift + SLOT_BITS as usize) << (shift + SLOT_BITS as usize);
        Some((level, slot, above | (slot as u64) << shift))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{counters::Tally, packet::Class, slab::Waiting};

    fn store(slab: &mut Slab, due: u64) -> Stored {
        slab.store([&[], &[]], Waiting::new(Class::default(), Tally::default(), 0, 0, due))
            .expect("there is room")
    }

    proptest! {
        /// Against a sorted list: everything leaves once, in the order of its tick, never early, and within a tick.
        #[test]
        fn packets_leave_in_the_order_of_their_ticks(
            steps in prop::collection::vec((prop::option::of(prop_oneof![0u64..100_000, 0u64..5_000_000_000, 0u64..90_000_000_000_000]), 0u64..3_000_000), 1..200),
        ) {
            let (mut slab, mut wheel) = (Slab::new(1 << 20), Wheel::default());
            let mut now = 0;
            let mut inside = 0;
            for (delay, gap) in steps.into_iter().chain([(None, 100_000_000_000_000), (None, 100_000_000_000_000)]) {
                if let Some(delay) = delay {
                    let stored = store(&mut slab, now + delay);
                    wheel.insert(&mut slab, stored, now + delay);
                    inside += 1;
                }
                let until = now + gap;
                while let Some(at) = wheel.next().filter(|at| *at <= until) {
                    now = now.max(at);
                    let mut last = 0;
                    while let Some(stored) = wheel.pop(&mut slab, now) {
                        let due = slab.waiting(stored).due;
                        prop_assert!(due <= now, "early");
                        prop_assert!(now < due + TICK_NS, "{} ns late", now - due);
                        prop_assert!(due.div_ceil(TICK_NS) >= last);
                        last = due.div_ceil(TICK_NS);
                        slab.give_back(stored);
                        inside -= 1;
                    }
                }
                now = until;
            }
            prop_assert_eq!(inside, 0);
            prop_assert_eq!(wheel.next(), None);
        }
    }

    #[test]
    fn draining_visits_everything_once() {
        let (mut slab, mut wheel) = (Slab::new(1 << 20), Wheel::default());
        for number in 0..100u64 {
            let due = number * number * 1_000_003;
            let stored = store(&mut slab, due);
            wheel.insert(&mut slab, stored, due);
        }
        let mut visited = Vec::new();
        wheel.drain(&mut slab, |slab, stored| visited.push(slab.waiting(stored).due));
        visited.sort_unstable();
        assert_eq!(
            visited,
            (0..100u64).map(|number| number * number * 1_000_003).collect::<Vec<_>>()
        );
        assert_eq!(wheel.next(), None);
    }
}
