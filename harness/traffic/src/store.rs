//! The recorder on board of an asset: store and forward. Everything without a final outcome is in it, under way or waiting.

use std::collections::{BTreeMap, VecDeque};

use model::{
    Attempt, Micros,
    plan::{OnFull, Recorder, ReplayOrder},
};

/// A reading without a final outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) stream: u16,
    pub(crate) seq: u64,
    pub(crate) ready: Micros,
    /// Of the payload, envelope included.
    pub(crate) bytes: u32,
    pub(crate) attempts: Vec<Attempt>,
    /// The mark of its last attempt.
    pub(crate) stored: bool,
    /// Some attempt may have been done.
    pub(crate) unsure: bool,
    /// Some attempt was refused. It waits behind the others, so that one that is never accepted does not block them.
    pub(crate) refused: bool,
}

type Waiting = BTreeMap<(Micros, u16, u64), Reading>;

#[derive(Debug, Default)]
pub(crate) struct Store {
    /// Under way and waiting.
    bytes: u64,
    /// Generated while connected: they wait for a free place only.
    live: VecDeque<Reading>,
    /// Recorded without a connection, or tried in vain: to be replayed.
    stored: Waiting,
    refused: Waiting,
}

impl Store {
    /// Makes room for a new reading. What had to go comes back; the new one itself must be dropped if the last is false.
    pub(crate) fn admit(&mut self, bytes: u32, policy: &Recorder) -> (Vec<Reading>, bool) {
        let mut gone = Vec::new();
        let bytes = u64::from(bytes);
        while self.bytes + bytes > policy.capacity_bytes {
            let oldest = match policy.on_full {
                OnFull::DropOldest => self.pop_oldest(),
                OnFull::DropNewest => None,
            };
            let Some(oldest) = oldest else { return (gone, false) };
            self.settled(&oldest);
            gone.push(oldest);
        }
        self.bytes += bytes;
        (gone, true)
    }

    /// An admitted reading has its final outcome.
    pub(crate) fn settled(&mut self, reading: &Reading) {
        self.bytes -= u64::from(reading.bytes);
    }

    pub(crate) fn push_live(&mut self, reading: Reading) {
        self.live.push_back(reading);
    }

    pub(crate) fn push_stored(&mut self, reading: Reading) {
        let queue = if reading.refused { &mut self.refused } else { &mut self.stored };
        queue.insert((reading.ready, reading.stream, reading.seq), reading);
    }

    pub(crate) fn pop_live(&mut self) -> Option<Reading> {
        self.live.pop_front()
    }

    /// The next one to replay.
    pub(crate) fn pop_stored(&mut self, order: ReplayOrder) -> Option<Reading> {
        let pop = match order {
            ReplayOrder::NewestFirst => Waiting::pop_last,
            ReplayOrder::LiveFirst | ReplayOrder::OldestFirst => Waiting::pop_first,
        };
        pop(&mut self.stored).or_else(|| pop(&mut self.refused)).map(|(_, reading)| reading)
    }

    /// The connection is gone: what waited for a place is recorded now.
    pub(crate) fn shelve(&mut self) {
        for reading in std::mem::take(&mut self.live) {
            self.push_stored(reading);
        }
    }

    pub(crate) fn has_stored(&self) -> bool {
        !self.stored.is_empty() || !self.refused.is_empty()
    }

    /// Everything that waits, at the end.
    pub(crate) fn empty(&mut self) -> impl Iterator<Item = Reading> + use<> {
        self.shelve();
        std::mem::take(&mut self.stored).into_values().chain(std::mem::take(&mut self.refused).into_values())
    }

    fn pop_oldest(&mut self) -> Option<Reading> {
        let first = |queue: &Waiting| queue.first_key_value().map(|(key, _)| key.0);
        match (first(&self.stored), first(&self.refused)) {
            (Some(a), Some(b)) if b < a => self.refused.pop_first(),
            (Some(_), _) => self.stored.pop_first(),
            (None, _) => self.refused.pop_first(),
        }
        .map(|(_, reading)| reading)
        .or_else(|| self.live.pop_front())
    }
}
