//! Readings on their way to the lane.
//!
//! A full connection refuses its readings. They wait in a queue of their own, and one of them is offered again after a millisecond:
//! when it is taken two more are, then four, so that what is offered in vain is never more than what was taken. Of thousands of full
//! connections some are tried each time, in turn. What an asset has called back is passed over.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    time::Duration,
};

use model::Micros;
use seams::{ConnId, Outgoing};

/// Time between two rounds of tries, and how many full connections each tries, in turn.
const TRY_EVERY: Duration = Duration::from_millis(1);
const TRIES: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Connections to ask for: which, its epoch, how often it was asked for before.
    pub(crate) asks: Vec<(u32, u32, u32)>,
    /// Tickets, in order of sending.
    pub(crate) ready: Vec<u32>,
    /// Tickets by connection: what was refused, and what came behind it.
    pub(crate) held: BTreeMap<ConnId, VecDeque<u32>>,
    /// When the next try of what is held is due, and the connection after which it goes on.
    pub(crate) try_at: Micros,
    tried: Option<ConnId>,
    /// What is offered now.
    pub(crate) offer: Vec<Outgoing>,
    pub(crate) arena: Vec<u8>,
    pub(crate) refused: Vec<u32>,
}

impl Outbox {
    pub(crate) fn ask(&mut self, conn: u32, epoch: u32, before: u32) {
        self.asks.push((conn, epoch, before));
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

    /// The full connections that are tried now.
    pub(crate) fn turn(&mut self, now: Micros) -> Vec<ConnId> {
        let after = self.tried.map_or(Bound::Unbounded, Bound::Excluded);
        let turn: Vec<ConnId> =
            self.held.range((after, Bound::Unbounded)).map(|(conn, _)| *conn).take(TRIES).collect();
        // After the last one comes the first.
        self.tried = turn.last().copied().filter(|_| turn.len() == TRIES);
        self.try_at = now + TRY_EVERY;
        turn
    }
}
