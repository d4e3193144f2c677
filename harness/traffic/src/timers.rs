//! What a fleet has to do later: intended moments, reconnects, the replay. Equal moments keep their order.
//!
//! Far timers lie unsorted in slots of a millisecond, the nearest slot in a heap: one heap of a million timers misses the cache with
//! every step down, and took half of the time of a large fleet.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use model::{Micros, schedule::Series};

use crate::connection::Wake;

/// Assets and connections go by their numbers within the fleet. `epoch` is that of the connection: a timer of an older one is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Generate {
        asset: u32,
        stream: u16,
        seq: u64,
    },
    Connection {
        conn: u32,
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
    far: BTreeMap<i64, Slot>,
    number: u64,
}

/// What is due within one millisecond.
#[derive(Debug, Default)]
struct Slot {
    intended: Vec<Intended>,
    others: Vec<Due>,
}

/// The next reading of a series. There is one for every stream of every asset, so it is kept in 12 bytes.
#[derive(Clone, Copy, Debug)]
struct Intended {
    asset: u32,
    seq: u32,
    stream: u16,
    /// Microseconds since the beginning of its slot.
    offset: u16,
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

impl Intended {
    /// None where it is another timer, or of a series so long that it does not fit.
    fn of(at: Micros, timer: Timer) -> Option<Self> {
        let Timer::Generate { asset, stream, seq } = timer else { return None };
        let offset = u16::try_from(at.0.rem_euclid(SLOT)).expect("a slot has 1,000 microseconds");
        Some(Self { asset, seq: u32::try_from(seq).ok()?, stream, offset })
    }

    fn due(self, slot: i64) -> (Micros, Timer) {
        let Self { asset, seq, stream, offset } = self;
        let at = Micros(slot * SLOT + i64::from(offset));
        (at, Timer::Generate { asset, stream, seq: seq.into() })
    }
}

impl Timers {
    pub(crate) fn set(&mut self, at: Micros, timer: Timer) {
        let slot = at.0.div_euclid(SLOT);
        if slot > self.opened
            && let Some(intended) = Intended::of(at, timer)
        {
            self.far.entry(slot).or_default().intended.push(intended);
        } else {
            let due = Due { at, number: self.number(), timer };
            self.put(due);
        }
    }

    /// Sets the timer of a reading, if the schedule comes that far.
    pub(crate) fn generate_later(
        &mut self,
        series: &Series<'_>,
        asset: u32,
        stream: u16,
        seq: u64,
    ) {
        let at = series.at(seq);
        if at < series.stop() {
            self.set(at, Timer::Generate { asset, stream, seq });
        }
    }

    fn put(&mut self, due: Due) {
        let slot = due.at.0.div_euclid(SLOT);
        if slot <= self.opened {
            self.near.push(Reverse(due));
        } else {
            self.far.entry(slot).or_default().others.push(due);
        }
    }

    /// Moves those that are `meant` by this much. Looks at every one of them, but for intended readings, which never move.
    pub(crate) fn postpone(&mut self, by: Duration, meant: impl Fn(&Timer) -> bool) {
        let mut moved = Vec::new();
        for slot in self.far.values_mut() {
            moved.extend(slot.others.extract_if(.., |due| meant(&due.timer)));
        }
        let (near, others): (Vec<_>, Vec<_>) =
            self.near.drain().partition(|Reverse(due)| meant(&due.timer));
        self.near = others.into();
        moved.extend(near.into_iter().map(|Reverse(due)| due));
        for due in moved {
            self.put(Due { at: due.at + by, ..due });
        }
    }

    /// A place among timers of the same moment, for what is due elsewhere.
    pub(crate) fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// When the next one is due, and its number.
    pub(crate) fn next(&mut self) -> Option<(Micros, u64)> {
        while self.near.is_empty()
            && let Some((slot, Slot { intended, others })) = self.far.pop_first()
        {
            self.opened = slot;
            self.near.extend(others.into_iter().map(Reverse));
            for (at, timer) in intended.into_iter().map(|intended| intended.due(slot)) {
                let number = self.number();
                self.near.push(Reverse(Due { at, number, timer }));
            }
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

    #[test]
    fn an_intended_reading_is_small_and_keeps_its_moment() {
        assert_eq!(size_of::<Intended>(), 12);
        let mut timers = Timers::default();
        let series = [(-1, 7), (999, 8), (1_000, u64::from(u32::MAX) + 1)];
        for (at, seq) in series {
            timers.set(Micros(at), Timer::Generate { asset: 1, stream: 2, seq });
        }
        timers.postpone(Duration::from_secs(1), |_| true);
        // A number beyond 32 bits is kept as any other timer, and moves with them.
        for (at, seq) in [(-1, 7), (999, 8), (1_001_000, u64::from(u32::MAX) + 1)] {
            let timer = Timer::Generate { asset: 1, stream: 2, seq };
            assert_eq!(timers.pop(Micros(i64::MAX)), Some((Micros(at), timer)));
        }
    }

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
