//! What a fleet has to do later: intended moments, deadlines, reconnects. A binary heap; equal moments keep their order.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use model::Micros;

/// Assets go by their number within the fleet. `epoch` is that of the asset's connection: a timer of an older one is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Generate {
        asset: u32,
        stream: u16,
        seq: u64,
    },
    /// The attempt has had its time.
    Deadline {
        ticket: u64,
    },
    Connect {
        asset: u32,
        epoch: u32,
    },
    /// The try to connect has had its time.
    Patience {
        asset: u32,
        epoch: u32,
    },
    Failback {
        asset: u32,
        epoch: u32,
    },
    Replay {
        asset: u32,
        epoch: u32,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
    number: u64,
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
        self.number += 1;
        self.heap.push(Reverse(Due { at, number: self.number, timer }));
    }

    pub(crate) fn next(&self) -> Option<Micros> {
        self.heap.peek().map(|Reverse(due)| due.at)
    }

    /// The next one that is due, and when it was.
    pub(crate) fn pop(&mut self, now: Micros) -> Option<(Micros, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| (due.at, due.timer))
    }
}
