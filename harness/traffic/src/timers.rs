//! What a fleet has to do later: intended moments, reconnects, the replay. Equal moments keep their order.
//!
//! Far timers lie unsorted in slots of a millisecond, the nearest slot in a heap: one heap of a million timers misses the cache with
//! every step down, and took half of the time of a large fleet.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use model::Micros;

use crate::connection::Wake;

/// Assets go by their number within the fleet. `epoch` is that of the asset's connection: a timer of an older one is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Generate {
        asset: u32,
        stream: u16,
        seq: u64,
    },
    Connection {
        asset: u32,
        epoch: u32,
        why: Wake,
    },
    Replay {
        asset: u32,
        epoch: u32,
    },
    /// Signal is acquired by the assets of a home.
    Acquired {
        cohort: u16,
    },
    /// And lost.
    Lost {
        cohort: u16,
    },
}

/// Microseconds.
const SLOT: i64 = 1000;

#[derive(Debug)]
pub(crate) struct Timers {
    /// Everything up to the slot `opened`.
    near: BinaryHeap<Reverse<Due>>,
    opened: i64,
    /// By slot, all later than `opened`.
    far: BTreeMap<i64, Vec<Due>>,
    number: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self { near: BinaryHeap::new(), opened: i64::MIN, far: BTreeMap::new(), number: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    at: Micros,
    number: u64,
    timer: Timer,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Timers {
    pub(crate) fn set(&mut self, at: Micros, timer: Timer) {
        let due = Due { at, number: self.number(), timer };
        let slot = at.0.div_euclid(SLOT);
        if slot <= self.opened {
            self.near.push(Reverse(due));
        } else {
            self.far.entry(slot).or_default().push(due);
        }
    }

    /// Moves those that are `meant` by this much. Looks at every one of them.
    pub(crate) fn postpone(&mut self, by: Duration, meant: impl Fn(&Timer) -> bool) {
        let far = std::mem::take(&mut self.far).into_values().flatten();
        let all: Vec<Due> = far.chain(self.near.drain().map(|Reverse(due)| due)).collect();
        self.opened = i64::MIN;
        for Due { at, number, timer } in all {
            let at = if meant(&timer) { at + by } else { at };
            self.far.entry(at.0.div_euclid(SLOT)).or_default().push(Due { at, number, timer });
        }
    }

    /// A place among timers of the same moment, for what is due elsewhere.
    pub(crate) fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// When the next one is due, and its number.
    pub(crate) fn next(&mut self) -> Option<(Micros, u64)> {
        if self.near.is_empty()
            && let Some((slot, timers)) = self.far.pop_first()
        {
            self.opened = slot;
            self.near.extend(timers.into_iter().map(Reverse));
        }
        self.near.peek().map(|Reverse(due)| (due.at, due.number))
    }

    /// The next one that is due, and when it was.
    pub(crate) fn pop(&mut self, now: Micros) -> Option<(Micros, Timer)> {
        if self.next()?.0 > now {
            return None;
        }
        self.near.pop().map(|Reverse(due)| (due.at, due.timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a sorted list, with timers set while others run out.
    #[test]
    fn timers_run_out_in_order_whenever_they_were_set() {
        let draws = model::schedule::Draws::of(3);
        let draw = |bound, index| draws.below(bound, model::schedule::Purpose::Message, index);
        let (mut timers, mut list) = (Timers::default(), Vec::new());
        for step in 0..5_000u32 {
            let at =
                Micros(i64::from(step) * 100 - 20_000 + draw(50_000, step.into()).cast_signed());
            timers.set(at, Timer::Replay { asset: step, epoch: 0 });
            list.push((at, step));
            if step % 7 == 0 {
                let now = Micros(i64::from(step) * 100 - 20_000);
                list.sort_unstable();
                let due = list.partition_point(|(at, _)| *at <= now);
                for (at, asset) in list.drain(..due) {
                    assert_eq!(timers.pop(now), Some((at, Timer::Replay { asset, epoch: 0 })));
                }
                assert_eq!(timers.pop(now), None);
                let next = timers.next().map(|(at, _)| at);
                assert_eq!(next, list.first().map(|(at, _)| *at));
            }
        }
        assert!(!list.is_empty());
    }
}
