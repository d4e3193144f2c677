//! Readings on their way to the lane.
//!
//! A full connection refuses its readings. They wait in a queue of their own, and one of them is offered again after a millisecond:
//! when it is taken two more are, then four, so that what is offered in vain is never more than what was taken. With thousands of full
//! connections the tries come less often. What an asset has called back is passed over.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use model::Micros;
use seams::{ConnId, Outgoing};

/// Time between two tries of full connections, and one more for so many of them: a try costs about a tenth of a microsecond.
const TRY_EVERY: Duration = Duration::from_millis(1);
const TRIES_PER_TURN: u32 = 2048;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Connections to ask for: asset, epoch, how often it was asked for before.
    pub(crate) asks: Vec<(u32, u32, u32)>,
    /// Tickets, in order of sending.
    pub(crate) ready: Vec<u32>,
    /// Tickets by connection: what was refused, and what came behind it.
    pub(crate) held: BTreeMap<ConnId, VecDeque<u32>>,
    /// When the next try of what is held is due.
    try_at: Micros,
    /// What is offered now.
    pub(crate) offer: Vec<Outgoing>,
    pub(crate) arena: Vec<u8>,
    pub(crate) refused: Vec<u32>,
}

impl Outbox {
    pub(crate) fn ask(&mut self, asset: u32, epoch: u32, before: u32) {
        self.asks.push((asset, epoch, before));
    }

    pub(crate) fn push(&mut self, ticket: u32) {
        self.ready.push(ticket);
    }

    /// A connection is gone, and everything that waited for it was called back.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.held.remove(&conn);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When there is something to try again.
    pub(crate) fn next(&self) -> Option<Micros> {
        (!self.held.is_empty()).then_some(self.try_at)
    }

    /// A connection is full.
    pub(crate) fn hold(&mut self, conn: ConnId, ticket: u32, now: Micros) {
        if self.held.is_empty() {
            self.try_at = now + TRY_EVERY;
        }
        self.held.entry(conn).or_default().push_back(ticket);
    }

    /// Every full connection was tried.
    pub(crate) fn tried(&mut self, now: Micros) {
        self.held.retain(|_, queue| !queue.is_empty());
        let full = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.try_at = now + TRY_EVERY * (1 + full / TRIES_PER_TURN);
    }
}
