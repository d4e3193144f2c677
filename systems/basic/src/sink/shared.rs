//! What all connections of a sink share.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::envelope::Envelope;
use serde::Serialize;
use tokio::sync::Notify;

use super::{kept::Kept, stall::Stall, stamps::Stamps};

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
    pub(super) stall: Option<Stall>,
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn stamp(&mut self, envelope: Option<&Envelope>, now_ns: u64) {
        if let Some(stamps) = &mut self.stamps
            && let Err(error) = stamps.add(envelope, now_ns)
        {
            self.unwritten.get_or_insert(error);
        }
    }
}
