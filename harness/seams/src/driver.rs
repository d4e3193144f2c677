//! Speaks one protocol to send.

use std::{
    fmt,
    ops::Range,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use model::{Identity, Micros, NodeIndex, Outcome, RegionId};

use crate::{Clock, Network, Origin};

pub trait Driver: fmt::Debug + Send + Sync {
    /// What this client does by itself (connections, rotation, keepalive), in sentences; printed in the report.
    fn policy(&self) -> String;

    /// How many sockets a lane that is asked for so many connections has open at once, at the most.
    fn connections(&self, asked: u32) -> u64 {
        asked.into()
    }

    /// One thread's share. Called on the sending thread, inside its tokio runtime and `LocalSet`.
    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane>;
}

/// A connection of a lane. The fleet numbers its connections from 0 without gaps, so a lane may keep them in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// A connection that a fleet wants: of one asset, or of as many as a gateway carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    pub conn: ConnId,
    /// Who sends over the connection; never empty.
    pub assets: Range<u32>,
    pub from: Origin,
    /// Where it wants to go now; the driver picks the node or nodes there.
    pub region: RegionId,
    /// How often the same connection was asked for before, from 0.
    pub attempt: u32,
}

impl ConnectRequest {
    /// A number for [`Site::nth_in`](crate::Site::nth_in): neighbours go to different nodes, and each attempt goes to the next one.
    pub fn turn(&self) -> u32 {
        (self.assets.start / self.assets.len().max(1) as u32).wrapping_add(self.attempt)
    }
}

/// One attempt of one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Unique within the lane, among some billions of attempts.
    pub ticket: u32,
    pub conn: ConnId,
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
    pub arena: &'a Bytes,
}

impl<'a> Batch<'a> {
    pub fn payload(&self, reading: &Outgoing) -> &'a [u8] {
        &self.arena[reading.start as usize..(reading.start + reading.length) as usize]
    }

    /// The payload as a share of the arena, for who keeps it: nothing is copied.
    pub fn share(&self, reading: &Outgoing) -> Bytes {
        self.arena.slice(reading.start as usize..(reading.start + reading.length) as usize)
    }
}

/// Drivers keep a connection that was left without a word for this long, at the most, so that the other side is not told.
pub const SILENT_KEPT: Duration = Duration::from_secs(600);

/// How a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    Close,
    Reset,
    /// Without a word: the other side is not told.
    Silent,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The connection stands.
    Up { conn: ConnId, node: NodeIndex },
    /// It could not be made, or is gone. Attempts under way have been answered by `Done` before.
    Down { conn: ConnId, why: &'static str },
    /// Handed to the connection.
    Sent { ticket: u32, at: Micros },
    /// `at` is stamped where the answer's bytes were read; `by` is the node that answered.
    Done { ticket: u32, outcome: Outcome, at: Micros, by: Option<NodeIndex>, position: Option<u64> },
}

/// One thread's share of a driver. It owns no deadline, no retry, no backoff: those are the fleet's.
pub trait Lane {
    /// Begins to make each of the connections, once. The answer is `Up` or `Down`.
    fn connect(&mut self, wanted: &[ConnectRequest]);

    /// Gives a connection up, also one in the making. Nothing more is said of it: no `Down`, and what was under way is the
    /// fleet's to call Unknown.
    fn disconnect(&mut self, conn: ConnId, how: Disconnect);

    /// Takes what it can, and pushes the indices of the readings that it refuses for now, in their order. A refused reading waits on
    /// its asset and is offered again. A full connection refuses its own readings only, each behind the first that it has refused;
    /// whatever is for another one is taken.
    fn submit(&mut self, batch: Batch<'_>, refused: &mut Vec<u32>);

    /// Drives connections and hands out what happened; Ready when there is something.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Vec<Progress>) -> Poll<()>;

    /// The fleet has said Unknown: a later answer to this ticket is of no interest.
    fn abandon(&mut self, ticket: u32);
}
