//! The Plan: a scenario after reading and checking. Nothing in it is optional, random or defaulted any more where that would
//! leave a choice to a later reader. It is printed, hashed, stored in the run folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CellId, End, FleetId, NodeId, ObserverId, RegionId, ServiceId, ShardId, StreamId, Topology,
    WindowId, ZoneId,
    load::{Capacity, Load},
    topology::{Cell, Node},
};

pub use crate::{
    phase::{Phase, PhaseEnd, PhaseKind},
    written::{Line, Written, WrittenSecret},
};

/// Version of the stored form: of the plan, and with it of everything else in a run folder.
pub const FORMAT: u32 = 3;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    pub scenario: String,
    pub summary: Option<String>,
    /// With the plan it decides every random choice.
    pub seed: u64,
    pub source: Source,
    pub lab: KindSpec,
    pub topology: Topology,
    pub services: BTreeMap<ServiceId, KindSpec>,
    pub fleets: BTreeMap<FleetId, Fleet>,
    pub observers: BTreeMap<ObserverId, Observer>,
    /// Availability deadline: a reading acked later than this is not good.
    pub theta: Duration,
    /// Where the scenario names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// How many threads send; None: as suits the machine that runs the plan. Whatever their number, the same readings are sent.
    #[serde(default)]
    pub threads: Option<NonZeroU32>,
    /// In order; the first begins at zero, each begins where the one before it ends.
    pub phases: Vec<Phase>,
    /// In order of the file.
    pub windows: Vec<Window>,
    pub safety: Safety,
    pub gates: Vec<Gate>,
    /// Kinds of gates that are known to fail; None: the drill is to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_failures: Option<Vec<String>>,
    /// Names of report kinds.
    pub reports: Vec<String>,
}

/// Where the plan came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub file: String,
    /// SHA-256 of the merged document, in hexadecimal.
    pub sha256: String,
    #[serde(default)]
    pub written: Written,
}

/// A kind of a catalog with its parameters, in the canonical form that the kind itself gave them: all defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSpec {
    pub kind: String,
    pub params: Value,
}

/// A group of always-on sources. Its assets have the ids `first .. first + assets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    pub service: ServiceId,
    pub driver: KindSpec,
    pub first: u32,
    pub assets: u32,
    /// Assets per home region, exact; the ids are given out in the order of this map.
    pub home: BTreeMap<RegionId, u32>,
    /// Where an asset goes, in this order, when its home does not answer.
    pub failover: BTreeMap<RegionId, Vec<RegionId>>,
    /// The cell of each home region.
    pub cells: BTreeMap<RegionId, CellId>,
    /// In the order of their numbers.
    pub streams: Vec<Stream>,
    /// Nominal unless the plan says otherwise.
    #[serde(default, skip_serializing_if = "Load::is_nominal")]
    pub load: Load,
    pub connection: Connection,
    pub recorder: Recorder,
    /// Probes judge `rto.service` only.
    pub probe: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub name: StreamId,
    pub every: Duration,
    pub phase: StreamPhase,
    /// Largest shift of one reading to either side of the grid; not accumulated.
    pub jitter: Duration,
    pub payload: Payload,
    pub ack: Ack,
}

impl Stream {
    /// Readings per second of one asset at the nominal rate.
    pub fn nominal_per_s(&self) -> f64 {
        1.0 / self.every.as_secs_f64().max(1e-6)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamPhase {
    /// Each asset has its own place in the interval, uniform over it.
    Random,
    /// The whole fleet at once.
    Aligned,
}

/// Size of a payload, envelope included, in bytes; log-normal through both quantiles, fixed where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub p50: u32,
    pub p99: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// Judged by gates on outage and latency.
    Required,
    /// Sent and answered, judged by observers only.
    BestEffort,
    /// Nobody waits for an answer.
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub connect_timeout: Duration,
    /// After this long without an answer an attempt is Unknown.
    pub request_timeout: Duration,
    pub backoff: Backoff,
    /// How many assets send over one connection, as behind a gateway; at least 1. The last one of a home may carry fewer.
    #[serde(default = "one")]
    pub shared_by: u32,
    /// Unanswered readings of one asset; the next one waits in its recorder.
    pub max_inflight: u16,
    /// Attempts in a row that fail (connects or requests) before the asset moves on along its failover list.
    pub attempts: u16,
    /// How long an asset stays on a failover region at least before it tries its home again, and over what time the fleet spreads its return.
    pub failback: Option<Failback>,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failback {
    pub after: Duration,
    pub jitter: Duration,
}

/// Wait before the n-th try to connect: `min(base * factor^n, max)`, then jitter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    pub base: Duration,
    pub factor: f64,
    pub max: Duration,
    pub jitter: BackoffJitter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackoffJitter {
    /// The wait itself.
    None,
    /// Uniform over zero to the wait.
    Full,
    /// Half the wait and a uniform draw over the other half.
    Equal,
}

/// Store and forward on board of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorder {
    pub capacity_bytes: u64,
    pub on_full: OnFull,
    pub order: ReplayOrder,
    /// Replayed readings per reading of the stream's nominal rate, on top of the live ones.
    pub rate: f64,
    /// Whether a replayed reading says so on the wire.
    pub mark_stored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    DropOldest,
    DropNewest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReplayOrder {
    LiveFirst,
    OldestFirst,
    NewestFirst,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observer {
    pub service: ServiceId,
    pub observer: KindSpec,
    pub region: RegionId,
    pub cell: CellId,
    pub shows: Shows,
    pub of_record: bool,
    /// Whose readings reach its service: only those can be missing there.
    pub fleets: BTreeSet<FleetId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// Every reading, in order.
    Log,
    /// Only the newest of each stream.
    CurrentValue,
    /// Every reading, on a copy.
    Replica,
}

/// A fault with its opening and closing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub id: WindowId,
    pub fault: KindSpec,
    pub opening: Opening,
    pub closing: Closing,
    /// Re-resolve roles while the window is open.
    pub follow: bool,
    /// What the fault does to whom it hits, as the fault itself says it, such as `losing`: the report's headline begins with it.
    pub deed: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    At(Duration),
    /// On the first matching event inside the span.
    When {
        event: EventPattern,
        from: Duration,
        to: Duration,
        after: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    At(Duration),
    /// This long after the opening.
    After(Duration),
}

/// Which event opens a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventPattern {
    /// Some node began to hold the role, with a higher term than before.
    RoleChanged { service: ServiceId, shard: Option<ShardId>, role: String },
    /// A process ended that no window had asked for.
    ProcessExited { service: ServiceId },
}

/// Whom a fault hits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Nodes(NodeTarget),
    Cells(CellTarget),
}

/// Machines of the stack. What is None does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeTarget {
    pub region: Option<RegionId>,
    pub zone: Option<ZoneId>,
    pub service: Option<ServiceId>,
    pub node: Option<NodeId>,
    /// `leader`, `follower` ... of `shard` (or of any shard of the service).
    pub role: Option<String>,
    pub shard: Option<ShardId>,
    pub mode: Mode,
    pub exclude: Vec<NodeId>,
}

/// Assets, by the cells that they are in. What is None does not restrict; a cell of observers never fits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellTarget {
    pub region: Option<RegionId>,
    pub fleet: Option<FleetId>,
}

/// How many of the nodes that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    All,
    /// Drawn from the plan's seed.
    One,
    Fixed(u32),
    Percent(f64),
    Minority,
    Majority,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Safety {
    /// Regions that may be lost while liveness is still demanded.
    pub tolerates_regions: u32,
    pub max_duration: Option<Duration>,
}

/// What the user demands, in the canonical form of a gate kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// As in the file, such as `latency.ack.p99`.
    pub name: String,
    pub spec: KindSpec,
    /// Where it stands in the scenario, 1-based; zero for a default gate.
    pub line: u32,
}

impl Window {
    /// When it can open at the earliest, since the origin of the run.
    pub fn opens_earliest(&self) -> Duration {
        match &self.opening {
            Opening::At(at) => *at,
            Opening::When { from, after, .. } => *from + *after,
        }
    }

    /// When it is surely closed, since the origin of the run.
    pub fn closes_latest(&self) -> Duration {
        match (&self.opening, self.closing) {
            (_, Closing::At(end)) => end,
            (Opening::At(at), Closing::After(lasts)) => *at + lasts,
            (Opening::When { to, after, .. }, Closing::After(lasts)) => *to + *after + lasts,
        }
    }
}

impl Target {
    /// The ends that fit, in the order of their names. Roles are left out: they are known only while the stack runs.
    pub fn fitting(&self, topology: &Topology) -> Vec<End> {
        match self {
            Self::Nodes(target) => {
                let fit = topology.nodes.iter().filter(|(name, node)| target.fits(name, node));
                fit.map(|(name, _)| End::Node(name.clone())).collect()
            }
            Self::Cells(target) => {
                let fit = topology.cells.iter().filter(|(_, cell)| target.fits(cell));
                fit.map(|(name, _)| End::Cell(name.clone())).collect()
            }
        }
    }

    /// How many of those that fit.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Nodes(target) => target.mode,
            Self::Cells(_) => Mode::All,
        }
    }

    /// The words of a target that means nodes.
    pub fn nodes(&self) -> Option<&NodeTarget> {
        match self {
            Self::Nodes(target) => Some(target),
            Self::Cells(_) => None,
        }
    }
}

impl From<NodeTarget> for Target {
    fn from(target: NodeTarget) -> Self {
        Self::Nodes(target)
    }
}

impl From<CellTarget> for Target {
    fn from(target: CellTarget) -> Self {
        Self::Cells(target)
    }
}

impl CellTarget {
    pub fn fits(&self, cell: &Cell) -> bool {
        cell.fleet.is_some()
            && self.region.as_ref().is_none_or(|region| *region == cell.region)
            && (self.fleet.is_none() || self.fleet == cell.fleet)
    }
}

impl NodeTarget {
    /// Whether the node fits, roles aside: those are known only while the stack runs.
    pub fn fits(&self, name: &NodeId, node: &Node) -> bool {
        let fits_place = self.region.as_ref().is_none_or(|region| *region == node.region)
            && (self.zone.is_none() || self.zone == node.zone)
            && self.service.as_ref().is_none_or(|service| node.services.contains(service));
        fits_place
            && self.node.as_ref().is_none_or(|wanted| wanted == name)
            && !self.exclude.contains(name)
    }
}

impl Mode {
    /// How many of `fit` nodes are hit: at most all of them; a percentage is rounded up; half of them is no minority.
    pub fn count(self, fit: usize) -> usize {
        let wanted = match self {
            Self::All => fit,
            Self::One => 1,
            Self::Fixed(count) => count as usize,
            Self::Percent(percent) => (fit as f64 * percent / 100.0).ceil() as usize,
            Self::Minority => fit.saturating_sub(1) / 2,
            Self::Majority => fit / 2 + 1,
        };
        wanted.min(fit)
    }
}

/// The name under which the engine keeps what an observer read back after heal: its sightings, and its `ObserverPassed` event.
pub fn read_back_of(observer: &ObserverId) -> ObserverId {
    ObserverId::new(format!("{observer}.read_back"))
}

impl Plan {
    /// When generation stops: the beginning of a final quiesced phase, else the end.
    pub fn stop(&self) -> Duration {
        match self.phases.last() {
            Some(Phase { start, end: PhaseEnd::Quiesced { .. }, .. }) => *start,
            _ => self.latest_end(),
        }
    }

    /// The longest that the timeline may take.
    pub fn latest_end(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.end.latest())
    }

    /// Services in which the readings of a fleet lie: the one that it sends to, and those in which an observer waits for them.
    pub fn services_of(&self, fleet: &FleetId) -> BTreeSet<&ServiceId> {
        let sends_to = self.fleets.get(fleet).map(|fleet| &fleet.service);
        let observed = self.observers.values().filter(|observer| observer.fleets.contains(fleet));
        sends_to.into_iter().chain(observed.map(|observer| &observer.service)).collect()
    }

    /// The phase that everything is compared with, and that gates on percentiles judge where they name none: the steady one that is meant
    /// as the baseline, else the first steady one. None if no phase is steady.
    pub fn baseline(&self) -> Option<&Phase> {
        let steady = || self.phases.iter().filter(|phase| phase.steady);
        steady().find(|phase| phase.kind == PhaseKind::Baseline).or_else(|| steady().next())
    }
}
