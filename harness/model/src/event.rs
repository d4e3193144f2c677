//! The control plane's journal: one closed enum, stamped at the source, numbered by one writer. Tens of events per run.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde::{Deserialize, Serialize};

pub use crate::conditions::Claim;
use crate::{
    CellId, End, HeldRole, Lever, Link, Micros, NodeId, ObserverId, PhaseId, RegionId, ServiceId,
    ShardId, WindowId,
};

impl Event {
    /// Assets whose sender this event says was lost.
    pub fn lost_assets(&self) -> Option<&[Range<u32>]> {
        match self {
            Self::SenderLost { assets, .. } => Some(assets),
            _ => None,
        }
    }
}

/// One numbered event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 0, without a gap.
    pub number: u64,
    pub at: Micros,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Event {
    /// The lab stands. `engine` says how packets travel, `simulated` whether servers and time are a model.
    LabOpened {
        kind: String,
        engine: String,
        simulated: bool,
        offers: BTreeSet<Lever>,
        notes: Vec<String>,
    },
    ServiceReady {
        service: ServiceId,
        version: String,
    },
    /// A driver's policy, in words, for the report.
    ClientPolicy {
        service: ServiceId,
        policy: String,
    },
    /// Traffic begins; this is the origin of the clock.
    Armed,
    PhaseEntered {
        phase: PhaseId,
    },
    /// A window opened: what it wants, and at what.
    FaultAsked {
        window: WindowId,
        revision: u64,
        picked: Vec<Vec<End>>,
        claims: BTreeSet<Claim>,
        affected: Affected,
        /// Between which cells and nodes this window alone lets nothing pass, in one direction at least.
        severed: BTreeSet<(CellId, NodeId)>,
    },
    /// A followed window moved to other nodes.
    FaultMoved {
        window: WindowId,
        revision: u64,
        picked: Vec<Vec<End>>,
        claims: BTreeSet<Claim>,
        affected: Affected,
        /// Between which cells and nodes this window alone lets nothing pass, in one direction at least.
        severed: BTreeSet<(CellId, NodeId)>,
    },
    /// From now on each of these windows alone hides everything that this one does; nobody hides it where there are none. Told of an open
    /// window where the answer is another one than before.
    FaultHidden {
        window: WindowId,
        by: BTreeSet<WindowId>,
    },
    /// A window closed.
    FaultClosed {
        window: WindowId,
        revision: u64,
    },
    /// A window could not open: nothing fits its targets, or its event never came.
    FaultMissed {
        window: WindowId,
        why: String,
    },
    /// What the lab noticed, as it said it. Its hits are told as [`Event::Proven`].
    Lab(LabEvent),
    /// Something of the stack or of an asset was hit. `count` is the total for this lever, place and window so far; `first` its first moment.
    Proven {
        window: WindowId,
        claim: Claim,
        link: Option<Link>,
        count: u64,
        first: Micros,
        established: u64,
    },
    RoleChanged {
        service: ServiceId,
        shard: ShardId,
        node: NodeId,
        role: HeldRole,
        term: u64,
    },
    Redundant {
        service: ServiceId,
        redundant: bool,
    },
    GenerationStopped,
    /// The end that the system itself names, read after heal and after the last ack, and the last position that an observer passed.
    ObserverPassed {
        observer: ObserverId,
        last: BTreeMap<ShardId, u64>,
        end: BTreeMap<ShardId, u64>,
    },
    /// An observer could see nothing in this span.
    ObserverBlind {
        observer: ObserverId,
        from: Micros,
        to: Micros,
    },
    /// A read-back could not be made.
    ReadBackFailed {
        observer: ObserverId,
        why: String,
    },
    /// A sender of the traffic is lost: what became of its assets from some moment on is not known.
    SenderLost {
        assets: Vec<Range<u32>>,
        why: String,
    },
    /// A part of the record could not be written: what it would have shown is not known.
    Unwritten {
        part: String,
        why: String,
    },
    Quiesced {
        complete: bool,
    },
    /// Self-honesty at the end of the run.
    Health(Health),
    LabClosed,
    /// The run broke off.
    Broke {
        why: String,
    },
}

/// What a lab noticed, stamped where it was noticed.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped {
    pub at: Micros,
    pub what: LabEvent,
}

/// What a lab notices; the fleets say so too, of the conditions that are their own, and the harness of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabEvent {
    /// The world of this revision holds, as a whole: no packet that it forbids passes after the stamp.
    InForce {
        revision: u64,
    },
    /// The stack or an asset was hit by a lever. `count`: since this lever was last put in force at this place; `first`: its first moment;
    /// `established`: how many of the hits were segments of established connections. Sent at the first hit and when a lever is let go.
    Hit {
        lever: Lever,
        at: Place,
        count: u64,
        first: Micros,
        established: u64,
    },
    /// The harness's own canary was hit or passed: it shows that a rule works, and proves nothing about the stack.
    Canary {
        link: Link,
        passed: bool,
    },
    /// A packet passed where a cut had been.
    Healed {
        link: Link,
        /// Older journals know the stack's packets only.
        #[serde(default)]
        by: HealedBy,
    },
    /// The lab cannot do what is wanted.
    CannotDo {
        lever: Lever,
        end: End,
        why: String,
    },
    ProcessStarted {
        node: NodeId,
        process: String,
    },
    /// `asked`: a window or the end of the run wanted it.
    ProcessExited {
        node: NodeId,
        process: String,
        status: String,
        asked: bool,
    },
    /// The harness itself stood still: what was due in this span was not done, and what came was not read before its end. It may have begun
    /// at any moment of the span. Neighbours that no reading could tell apart are one.
    Standstill {
        from: Micros,
        to: Micros,
    },
    /// A small write to the machine's own disk, beside the stack's, became durable only after this span. All nodes of a lab on one machine
    /// share that disk, so the stack suffered something that no fault of the drill asked for.
    DiskStalled {
        from: Micros,
        to: Micros,
    },
}

/// Where a lever was seen to bite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Link(Link),
    Node(NodeId),
    /// One process of a node, where the lever was pulled at that process alone.
    Process {
        node: NodeId,
        process: String,
    },
    /// Assets of a cell, where the lever is one of the fleets.
    Cell(CellId),
}

/// Whose packet showed that a cut had ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealedBy {
    /// The stack's own, or an asset's.
    #[default]
    Stack,
    /// The harness's: the stack may not use this link at all.
    Canary,
}

/// Whose assets a fault declares to hit, by service: a region that one service lost still serves the assets of another, and shards of
/// two services may have one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Affected(pub BTreeMap<ServiceId, HitParts>);

/// The parts of one service that a fault takes away from its assets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitParts {
    pub regions: BTreeSet<RegionId>,
    pub shards: BTreeSet<ShardId>,
}

impl Affected {
    /// Adds what another one names.
    pub fn extend(&mut self, other: &Self) {
        for (service, parts) in &other.0 {
            let mine = self.0.entry(service.clone()).or_default();
            mine.regions.extend(parts.regions.iter().cloned());
            mine.shards.extend(parts.shards.iter().cloned());
        }
    }
}

/// What the harness knows of its own faults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Packets that the fabric lost without being asked.
    pub fabric_drops: u64,
    /// Lateness of the fabric's own timers, in microseconds.
    pub fabric_late_p50_us: u64,
    pub fabric_late_p99_us: u64,
    pub fabric_late_max_us: u64,
    /// CPU time of the fabric's threads, as a share of one core over the run.
    pub fabric_cpu: f64,
    pub packets: u64,
    /// Start of the first attempt minus the intended time, of idle and connected assets, in microseconds.
    pub schedule_lag_p50_us: u64,
    pub schedule_lag_p99_us: u64,
    pub schedule_lag_max_us: u64,
    /// How late the sending loop came round to what was due, by milliseconds of the run, in microseconds. Zero where it was not
    /// measured.
    #[serde(default)]
    pub loop_lag_p50_us: u64,
    #[serde(default)]
    pub loop_lag_p99_us: u64,
    #[serde(default)]
    pub loop_lag_max_us: u64,
    /// CPU time of the sending threads per reading that was generated, in microseconds; None where it was not measured.
    #[serde(default)]
    pub generator_cpu_us: Option<f64>,
    /// Each sending thread by itself, where there are several.
    #[serde(default)]
    pub senders: Vec<SenderHealth>,
    /// TCP congestion control in use in the lab, as a place of its own says.
    pub congestion: String,
    pub notes: Vec<String>,
    /// The null target: an echo over the same host and fabric that never touches the stack and that no fault aims at. Probes sent
    /// whose fate is known; none where the lab has no null target.
    #[serde(default)]
    pub null_count: u64,
    /// Unanswered for more than a second.
    #[serde(default)]
    pub null_lost: u64,
    /// From the moment at which a probe was due to its answer, in microseconds.
    #[serde(default)]
    pub null_p50_us: u64,
    #[serde(default)]
    pub null_p99_us: u64,
    #[serde(default)]
    pub null_max_us: u64,
    /// The null disk: small writes beside the stack's data that no server makes and no fault aims at; none where the lab has no disk.
    #[serde(default)]
    pub null_disk_count: u64,
    /// Until a write was durable, in microseconds.
    #[serde(default)]
    pub null_disk_p50_us: u64,
    #[serde(default)]
    pub null_disk_p99_us: u64,
    #[serde(default)]
    pub null_disk_max_us: u64,
    /// CPU time that the hypervisor gave to others, as a share (0-1) of all; None where it was not measured.
    #[serde(default)]
    pub steal: Option<f64>,
    /// Share (0-1) of the wall time in which some task of the machine waited for a CPU; None where the kernel does not tell.
    #[serde(default)]
    pub cpu_pressure: Option<f64>,
    /// Why figures of this run are coarser than they could be, each a sentence. They void nothing by themselves.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// How often this machine refused the harness something that it needs for its own sockets, by what was refused. None of it is the
    /// stack's doing. Older journals did not count it.
    #[serde(default)]
    pub local_errors: BTreeMap<LocalError, u64>,
}

/// What a machine refuses its own programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalError {
    /// `EMFILE`: the process has as many descriptors as it may.
    TooManyOpenFiles,
    /// `ENFILE`: the whole machine has.
    FileTableFull,
    /// `EADDRNOTAVAIL`: every local port towards that destination is taken.
    NoFreePort,
    /// `ENOBUFS`.
    NoBuffers,
    /// `ENOMEM`.
    NoMemory,
}

impl LocalError {
    pub const ALL: [Self; 5] = [
        Self::TooManyOpenFiles,
        Self::FileTableFull,
        Self::NoFreePort,
        Self::NoBuffers,
        Self::NoMemory,
    ];
}

/// What one of several sending threads knows of itself, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SenderHealth {
    pub generated: u64,
    pub schedule_lag_p99_us: u64,
    pub loop_lag_p99_us: u64,
    /// Of the whole run.
    pub cpu_us: Option<u64>,
}

impl Health {
    /// Own lateness at the p99 above which a run is degraded, in microseconds.
    pub const LATE_US: u64 = 2_000;

    /// p99 of the schedule lag, of the latest sender: one of several that is late is late for its own assets, however punctual the others
    /// are, and must not hide behind them.
    pub fn schedule_lag_p99_us_of_latest(&self) -> u64 {
        let of_each = self.senders.iter().map(|sender| sender.schedule_lag_p99_us);
        of_each.fold(self.schedule_lag_p99_us, u64::max)
    }

    /// p99 of the sending loop's own lateness, of the latest sender.
    pub fn loop_lag_p99_us_of_latest(&self) -> u64 {
        let of_each = self.senders.iter().map(|sender| sender.loop_lag_p99_us);
        of_each.fold(self.loop_lag_p99_us, u64::max)
    }
}
