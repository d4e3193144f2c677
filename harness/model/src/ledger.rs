//! The per-asset truth: who a reading is, what became of it, who saw it.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{CellId, FleetId, Micros, NodeIndex, RegionId, ServiceId, ShardId};

/// Identity of a reading within its run. Asset ids are dense and unique per run, a fleet owns a range; streams are numbered within their fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub asset: u32,
    pub stream: u16,
    /// How often the asset has started, from 1.
    pub boot: u16,
    /// From 0, without a gap, in order of intended generation.
    pub seq: u64,
}

/// What an asset may believe of one attempt. A timeout is `Unknown`, never `Refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Acked,
    /// Definitely not done.
    Refused,
    /// Timeout or connection lost: it may have been done.
    Unknown,
}

/// What became of a reading in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Acked,
    Refused,
    /// The asset gave up on it without knowing.
    Unknown,
    /// The asset's recorder was full.
    Dropped,
    /// No final outcome at the end of the run.
    Pending,
}

/// One try to send a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it was handed to the connection.
    pub sent: Micros,
}

/// Of one reading, in order. Nearly all have one, which needs no memory of its own: at 10^5 readings a second that is most of what an
/// allocator would do.
pub type Attempts = SmallVec<[Attempt; 1]>;

/// One line of the ledger, written when the fate of a reading is final, or at the end. The intended time is not in it:
/// it is a pure function of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub identity: Identity,
    /// First moment the model allowed sending; the intended generation unless the model planned silence.
    pub ready: Micros,
    pub attempts: Attempts,
    pub fate: Fate,
    /// First positive ack, stamped where its bytes were read.
    pub acked: Option<Micros>,
    /// Position within its shard that the ack named.
    pub position: Option<u64>,
    /// The node that acked.
    pub by: Option<NodeIndex>,
    /// The mark that the last attempt carried on the wire.
    pub stored: bool,
}

/// An observer saw a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    pub identity: Identity,
    pub at: Micros,
    /// Position within the reading's shard, where the system has positions.
    pub position: Option<u64>,
    /// Whether the payload's own checksum held.
    pub intact: bool,
}

/// Where an asset lives; one line per asset, written when a run starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetRow {
    pub asset: u32,
    pub name: String,
    pub fleet: FleetId,
    pub home: RegionId,
    pub cell: CellId,
    pub probe: bool,
}

/// Where the readings of a fleet lie in one service; written when a run starts. Shards belong to their service: `s0` of two services
/// are two shards, and an asset has one in each service that its readings reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRow {
    pub service: ServiceId,
    pub fleet: FleetId,
    /// Numbers of the fleet's streams for which this row holds. A service that goes by the asset alone has one row per fleet.
    pub streams: Vec<u16>,
    /// In the order of their names.
    pub shards: Vec<ShardId>,
    /// Place in `shards` of each asset of the fleet, in the order of their ids.
    pub of: Vec<u32>,
}
