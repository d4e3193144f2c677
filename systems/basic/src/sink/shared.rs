//! What all connections of a sink share.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::envelope::Envelope;
use seams::monotonic_ns;
use serde::Serialize;
use tokio::sync::Notify;

use super::{kept::Kept, stall::Stall, stamps::Stamps};

/// Longer payloads are refused.
pub(super) const PAYLOAD_MAX: usize = 1 << 20;

/// What a sink has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Readings that were stored and acked, copies included.
    pub readings: u64,
    /// Requests to store something that is no intact reading.
    pub refused: u64,
    /// Requests to `/null`.
    pub nulls: u64,
    /// Readings that are no longer kept.
    pub forgotten: u64,
    /// Answers over HTTP/1.1 and HTTP/2.
    pub http1: u64,
    pub http2: u64,
    /// Connections accepted, and the most that were open at once.
    pub connections: u64,
    pub connections_max: u64,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    stall: Option<Stall>,
    /// A reading was stored.
    pub(super) stored: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) kept: Kept,
    pub(super) counts: Counts,
    pub(super) stamps: Option<Stamps>,
    /// The first line that could not be written.
    pub(super) unwritten: Option<io::Error>,
    /// Connections.
    pub(super) open: u64,
}

impl Shared {
    pub(super) fn new(kept: Kept, stall: Option<Stall>, stamps: Option<Stamps>) -> Self {
        let counts = Counts::default();
        let state = State { kept, counts, stamps, unwritten: None, open: 0 };
        Self { state: Mutex::new(state), stall, stored: Notify::new() }
    }

    /// Waits for the end of a stall, if there is one.
    pub(super) async fn unless_stalled(&self) {
        if let Some(stall) = &self.stall {
            stall.over().await;
        }
    }

    /// Stores a payload, and says where; None if it is no intact reading.
    pub(super) fn store(&self, payload: &[u8]) -> Option<u64> {
        let envelope = Envelope::read(payload).ok();
        let now_ns = monotonic_ns();
        let mut state = self.state();
        let Some(envelope) = envelope else {
            state.counts.refused += 1;
            return None;
        };
        let position = state.kept.add(&envelope, now_ns / 1000);
        state.counts.readings += 1;
        state.stamp(Some(&envelope), now_ns);
        drop(state);
        self.stored.notify_waiters();
        Some(position)
    }

    /// A body that is not kept.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.counts.nulls += 1;
        state.stamp(None, monotonic_ns());
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stamp(&mut self, envelope: Option<&Envelope>, now_ns: u64) {
        if let Some(stamps) = &mut self.stamps
            && let Err(error) = stamps.add(envelope, now_ns)
        {
            self.unwritten.get_or_insert(error);
        }
    }
}
