//! The input of every figure: what was planned, what was recorded, and nothing computed yet.
//!
//! Times and durations are integer microseconds on the harness clock; intervals are half open. Assets, streams, services and regions
//! are indices, readings lie sorted by identity, so that ten million of them fit. Deliberately absent: how a run folder becomes this
//! (`from_run`), what belongs to a shard (`shards`), and every formula.

use std::sync::Arc;

use model::{Micros, NodeId, ServiceId, ShardId, load::Warp};

use std::collections::BTreeSet;

use crate::reading::Reading;

/// Microseconds on the harness clock, a moment or a duration.
pub type Us = i64;
/// One second.
pub const SECOND: Us = 1_000_000;
/// Later than everything: no ack, no end, no next change.
pub const NEVER: Us = Us::MAX;

/// A run, ready to be measured.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// First moment of the run.
    pub start: Us,
    /// Last moment of the run: what is open now stays open.
    pub end: Us,
    /// Generation of readings ends here, at most `end`.
    pub stop: Us,
    /// Availability deadline: a reading acked later than this after `t_ready` is not good.
    pub theta: Us,
    /// Latency objective that freshness allows on top of one period.
    pub slo: Us,
    pub regions: Vec<String>,
    /// In the order of their names. Shards and positions belong to them.
    pub services: Vec<Service>,
    /// In the order of their names.
    pub fleets: Vec<Fleet>,
    /// In the order of their names, as `Reading::acked_by` counts them.
    pub nodes: Vec<String>,
    /// In the order of their ids; `Reading::asset` is an index into this.
    pub assets: Vec<Asset>,
    pub streams: Vec<Stream>,
    pub observers: Vec<Observer>,
    pub phases: Vec<Phase>,
    /// Planned changes of the world, in any order.
    pub changes: Vec<Change>,
    /// In order of their effect; overlapping faults form one episode.
    pub episodes: Vec<Episode>,
    /// Sorted by identity (asset, stream, boot, seq), each once.
    pub readings: Vec<Reading>,
    pub happened: Happened,
}

/// A running system of the stack, with its shards.
#[derive(Debug, Clone, Default)]
pub struct Service {
    pub name: String,
    /// In the order of their names.
    pub shards: Vec<String>,
    /// By stream: the shards of its fleet's assets, `None` where the stream's readings do not reach the service.
    pub columns: Vec<Option<Column>>,
}

/// The shard of each asset of a fleet; streams that lie in the same shards share it.
#[derive(Debug, Clone, Default)]
pub struct Column {
    /// Id of the fleet's first asset.
    pub first: u32,
    /// Places in the service's shards, in the order of the assets' ids.
    pub of: Arc<[u32]>,
}

/// A shard of a service, as indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    pub service: usize,
    pub shard: usize,
}

/// Sources of readings with the same streams.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pub name: String,
    /// The service that acks its readings, an index.
    pub service: usize,
}

/// One source of readings.
#[derive(Debug, Clone, Default)]
pub struct Asset {
    /// The id that is unique per run and stands on the wire.
    pub id: u32,
    /// Fleet it belongs to, an index.
    pub fleet: usize,
    /// Where it was connected when the first fault took effect.
    pub region: usize,
    /// Where it belongs.
    pub home: usize,
    /// When it can be reached; empty means always. The rest is planned silence.
    pub contact: Vec<(Us, Us)>,
    /// A probe judges `rto.service` only and belongs to no fleet figure.
    pub probe: bool,
}

/// What a stream promises.
#[derive(Debug, Clone)]
pub struct Stream {
    pub name: String,
    /// Fleet it belongs to, an index.
    pub fleet: usize,
    /// Its number within its fleet, as in an identity.
    pub number: u16,
    /// At the nominal rate.
    pub period: Us,
    /// What the load of its fleet makes of its time.
    pub load: Warp,
    /// `ack: required`: outages and latencies are made of its acks.
    pub required: bool,
    /// Outages and staleness of this stream count for its asset.
    pub gated: bool,
}

/// What an observer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObserverKind {
    SystemOfRecord,
    Replica,
    /// Read back after heal by the normal path; where there is one, it alone decides what is lost.
    ReadBack,
    /// Shows the newest value only, and forgets the others by design.
    CurrentValue,
}

impl ObserverKind {
    /// Whether every reading must be found there.
    #[must_use]
    pub fn keeps_everything(self) -> bool {
        self != Self::CurrentValue
    }
}

/// Somebody who reads back what became visible.
#[derive(Debug, Clone)]
pub struct Observer {
    pub name: String,
    /// The service that it looks at, an index: `passed`, `head` and the positions of its sightings are those of that service.
    pub service: usize,
    /// By fleet: whether its readings reach that service, and are missing where they are not seen.
    pub takes: Vec<bool>,
    pub kind: ObserverKind,
    pub region: Option<usize>,
    /// How often it looks; 0 when it is told.
    pub poll: Us,
    /// Last position passed per shard of its service (-1: none); `None` where the system has no positions.
    pub passed: Option<Vec<i64>>,
    /// The end that the system itself named per shard of its service, after heal and after the last ack; -1 where it is empty, `i64::MAX` where
    /// nobody could read it (then nothing there may be called lost).
    pub head: Vec<i64>,
    /// Observations whose payload did not hold its own checksum.
    pub corrupt: Vec<model::Identity>,
    /// Spans in which it could see nothing: its own time, not the platform's.
    pub blind: Vec<(Us, Us)>,
    pub sightings: Sightings,
}

impl Observer {
    /// It saw the reading at this index at least once.
    pub(crate) fn sees(&self, reading: usize) -> bool {
        !self.sightings.of(reading).is_empty()
    }
}

/// One observation of one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub t: Us,
    /// Partition position, offset or revision; `None` where there is none.
    pub at: Option<i64>,
}

/// Observations by reading, without a map: `from[i]..from[i + 1]` are those of reading `i`.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    from: Vec<u32>,
    seen: Vec<Seen>,
}

impl Sightings {
    /// Sorts `(index of the reading, observation)` pairs; the order of one reading's observations is kept.
    ///
    /// # Panics
    /// When there are more than `u32::MAX` observations, or one of a reading that does not exist.
    #[must_use]
    pub fn new(readings: usize, mut pairs: Vec<(u32, Seen)>) -> Self {
        pairs.sort_by_key(|(reading, _)| *reading);
        assert!(
            pairs.last().is_none_or(|(reading, _)| (*reading as usize) < readings),
            "an observation of no reading"
        );
        let mut from = Vec::with_capacity(readings + 1);
        let mut next = 0usize;
        for reading in 0..=readings {
            while pairs.get(next).is_some_and(|(of, _)| (*of as usize) < reading) {
                next += 1;
            }
            from.push(u32::try_from(next).expect("fewer than 2^32 observations"));
        }
        Self { from, seen: pairs.into_iter().map(|(_, seen)| seen).collect() }
    }

    /// Every observation of the reading at this index, in the order they came.
    #[must_use]
    pub fn of(&self, reading: usize) -> &[Seen] {
        match (self.from.get(reading), self.from.get(reading + 1)) {
            (Some(a), Some(b)) => &self.seen[*a as usize..*b as usize],
            _ => &[],
        }
    }

    /// Every observation, grouped by reading.
    #[must_use]
    pub fn all(&self) -> &[Seen] {
        &self.seen
    }
}

/// A named part of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    pub name: String,
    pub start: Us,
    pub end: Us,
    /// No fault is planned in it: percentiles may be gated.
    pub steady: bool,
    /// The plan's baseline: [`model::Plan::baseline`].
    pub baseline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Fault,
    Heal,
    Phase,
}

/// A planned change of the world.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub t: Us,
    pub kind: ChangeKind,
    /// It belongs to a fault that was already on, and ends nothing.
    pub same_episode: bool,
}

/// One fault, or several that overlap.
#[derive(Debug, Clone)]
pub struct Episode {
    /// First proven effect.
    pub t_effect: Us,
    pub t_heal: Option<Us>,
    /// Who is hit as the fault declares; `None`: whoever missed theta.
    pub affected: Option<Affects>,
    /// Ids of the windows that belong to it.
    pub windows: Vec<String>,
    /// Indices of the assets to which it leaves no path to their service.
    pub cut_off: BTreeSet<usize>,
}

/// What a fault declares to hit, as indices.
#[derive(Debug, Clone, Default)]
pub struct Affects {
    /// A region that a service lost, as (service, region): the assets that send to another service there are not hit.
    pub regions: Vec<(usize, usize)>,
    pub shards: Vec<Shard>,
    /// Assets that are hit themselves.
    pub assets: BTreeSet<usize>,
}

/// What was recorded beside the readings.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Happened {
    pub roles: Vec<RoleSeen>,
    pub windows: Vec<Window>,
    pub exits: Vec<Exit>,
    /// Processes of the stack that the lab told of; 0 where nobody watches them.
    #[serde(default)]
    pub processes_started: u64,
    /// Changes of redundancy as the stack itself reported them.
    pub redundant: Vec<Redundant>,
    /// What the harness knows of its own faults; `None` where the run ended before it could say.
    pub health: Option<model::event::Health>,
    /// Links, from and to, that were cut and let go, and never shown to carry packets again. Older documents do not say.
    #[serde(default)]
    pub unhealed: Vec<(String, String)>,
    /// The lab answered without sockets: figures say what a model does.
    pub simulated: bool,
    /// The run ended early, and why.
    pub broke_off: Option<String>,
    /// Everything was decided and seen before the run ended.
    pub quiesced: bool,
    /// Read-backs that could not be made, and why.
    pub not_read_back: Vec<(String, String)>,
    /// Spans in which the harness itself stood still, in order and apart. Older documents do not say.
    #[serde(default)]
    pub standstills: Vec<(Us, Us)>,
    /// Spans of the measured time in which this machine's disk held up a small write beside the stack's for half of theta or longer, in
    /// order and apart. Older documents do not say.
    #[serde(default)]
    pub disk_stalls: Vec<(Us, Us)>,
    /// Parts of the record that could not be written, and why. Older documents do not say.
    #[serde(default)]
    pub unwritten: Vec<(String, String)>,
    /// Assets whose sender was lost, and why: nothing of them is among the facts. Older documents do not say.
    #[serde(default)]
    pub censored: Vec<Censored>,
}

/// Assets of a sender that was lost in the middle of the run. What became of their readings is not known, so they count neither as good
/// nor as lost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Censored {
    pub assets: Vec<std::ops::Range<u32>>,
    pub why: String,
}

/// A service is fully redundant from this moment, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Redundant {
    pub t: Us,
    pub service: ServiceId,
    pub redundant: bool,
}

/// A server was seen believing that it leads a shard.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RoleSeen {
    pub t: Us,
    pub service: ServiceId,
    pub shard: ShardId,
    pub node: NodeId,
    pub role: model::HeldRole,
    pub term: u64,
}

/// A fault's window, and what shows that it bit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Window {
    pub id: String,
    pub kind: String,
    pub asked: Us,
    /// First proven effect.
    pub effect: Option<Us>,
    pub healed: Option<Us>,
    /// Nodes that it was aimed at.
    pub picked: Vec<String>,
    pub proof: Proof,
    /// Observations that show the effect.
    pub count: u64,
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    Proven,
    Unproven,
    /// Another window hides what this one does.
    Masked,
}

/// A process of the stack ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exit {
    pub t: Us,
    pub node: NodeId,
    pub process: String,
    pub status: String,
    /// A fault asked for it.
    pub asked: bool,
}

impl Facts {
    /// The first effect of any fault.
    #[must_use]
    pub fn first_effect(&self) -> Option<Us> {
        self.episodes.first().map(|e| e.t_effect)
    }

    /// The plan's baseline, if the run reached it.
    #[must_use]
    pub fn baseline(&self) -> Option<&Phase> {
        self.phases.iter().find(|p| p.baseline)
    }

    /// Indices of the assets that are no probes.
    pub fn fleet(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.assets.len()).filter(|a| !self.assets[*a].probe)
    }

    /// Indices of the gated streams.
    pub fn gated(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.streams.len()).filter(|s| self.streams[*s].gated)
    }

    /// The slowest of the gated streams from the first effect on, under their load; 0 without one.
    pub(crate) fn slowest_gated(&self) -> Us {
        self.gated().map(|s| self.slowest(&self.streams[s])).max().unwrap_or(0)
    }

    /// The longest that the stream waits between two readings from the first effect on.
    pub(crate) fn slowest(&self, stream: &Stream) -> Us {
        let from = self.first_effect().unwrap_or(self.start);
        stream.load.slowest(Micros(stream.period), (Micros(from), Micros(self.stop))).0
    }

    /// Whether any fleet sends at another than its nominal rate at some time.
    pub(crate) fn has_load(&self) -> bool {
        self.streams.iter().any(|s| !s.load.is_nominal())
    }

    /// Readings per (asset, stream), in order of identity, each group with the index of its first reading.
    pub fn groups(&self) -> impl Iterator<Item = (usize, &[Reading])> {
        let mut first = 0;
        self.readings.chunk_by(|a, b| (a.asset, a.stream) == (b.asset, b.stream)).map(
            move |group| {
                let at = first;
                first += group.len();
                (at, group)
            },
        )
    }

    /// When the asset can be reached.
    #[must_use]
    pub fn contact(&self, asset: usize) -> std::borrow::Cow<'_, [(Us, Us)]> {
        match self.assets[asset].contact.as_slice() {
            [] => vec![(self.start, self.end)].into(),
            spans => spans.into(),
        }
    }
}
