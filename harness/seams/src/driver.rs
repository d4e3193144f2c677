//! Speaks one protocol to send.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use model::{Identity, Micros, NodeId, Outcome, RegionId};

use crate::{Clock, Ground, Origin};

pub trait Driver: fmt::Debug + Send + Sync {
    /// What this client does by itself (connections, rotation, keepalive), in sentences; printed in the report.
    fn policy(&self) -> String;

    /// One thread's share. Called on the sending thread, inside its tokio runtime and `LocalSet`.
    fn lane(&self, ground: Arc<dyn Ground>, clock: Clock) -> Box<dyn Lane>;
}

/// One asset that wants a connection to a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub asset: u32,
    pub from: Origin,
    /// Where it wants to go now; the driver picks the node or nodes there.
    pub region: RegionId,
}

/// One attempt of one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Unique within its lane.
    pub ticket: u64,
    pub identity: Identity,
    /// From 1.
    pub attempt: u16,
    /// Where the payload (envelope first) lies in the batch's arena.
    pub start: u32,
    pub length: u32,
}

/// Readings to send now, and the bytes of their payloads.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub readings: &'a [Outgoing],
    pub arena: &'a [u8],
}

impl Batch<'_> {
    pub fn payload(&self, reading: &Outgoing) -> &[u8] {
        &self.arena[reading.start as usize..(reading.start + reading.length) as usize]
    }
}

/// How an asset leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    Close,
    Reset,
    /// Without a word: the other side is not told.
    Silent,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The asset's connection stands.
    Up { asset: u32, node: NodeId },
    /// It could not be made, or is gone. Attempts under way have been answered by `Done` before.
    Down { asset: u32, why: String },
    /// Handed to the connection.
    Sent { ticket: u64, at: Micros },
    /// `at` is stamped where the answer's bytes were read.
    Done { ticket: u64, outcome: Outcome, at: Micros, by: Option<NodeId>, position: Option<u64> },
}

/// One thread's share of a driver. It owns no deadline, no retry, no backoff: those are the fleet's.
pub trait Lane {
    /// Begins to connect each of them, once. The answer is `Up` or `Down`.
    fn connect(&mut self, seats: &[Seat]);

    /// Gives the asset's connection up, also one in the making. Nothing more is said of it: no `Down`, and what was under way is the
    /// fleet's to call Unknown.
    fn disconnect(&mut self, asset: u32, how: Leave);

    /// Takes a prefix of the batch and says how many; what is left waits on its asset.
    fn submit(&mut self, batch: Batch<'_>) -> usize;

    /// Drives connections and hands out what happened; Ready when there is something.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()>;

    /// The fleet has said Unknown: a later answer to this ticket is of no interest.
    fn abandon(&mut self, ticket: u64);
}
