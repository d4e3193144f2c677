//! What goes wrong, as a state of the world: the whole wanted state of links, nodes and fleets, never a list of actions.
//!
//! Worlds combine by [`Conditions::and`], which is commutative and associative with [`Conditions::default`] as its identity:
//! qualities add as [`LinkQuality::then`] says, a cut stays cut, the worse of two states wins, disks and clocks add up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{CellId, Chance, End, Link, LinkQuality, NodeId, quality::merged};

/// The wanted state of the world beyond its steady links. What is absent is untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    #[serde(with = "listed")]
    pub links: BTreeMap<Link, LinkCondition>,
    pub nodes: BTreeMap<NodeId, NodeCondition>,
    /// What the assets of a cell do. The fleets obey it, not the lab.
    pub fleets: BTreeMap<CellId, FleetCondition>,
}

/// What one direction suffers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCondition {
    /// A packet that any of them meets is cut; the strongest form among those decides how.
    pub cuts: BTreeSet<Cut>,
    /// On top of the steady quality.
    pub quality: LinkQuality,
}

/// One wish that packets do not pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cut {
    /// A packet whose source or destination port is among these is meant.
    pub ports: Ports,
    pub form: CutForm,
}

/// Which packets of a link a cut means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ports {
    All,
    Only(BTreeSet<u16>),
}

/// How a cut treats a packet. Ordered by what stays hidden longest: silence beats a refusal.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CutForm {
    /// Answered with a TCP reset or an ICMP error.
    Reject,
    /// Accepts and never delivers: connections open, stay open and close, but a packet that carries data is swallowed.
    Jam,
    /// Swallowed.
    #[default]
    Drop,
}

/// State of a node, ordered from well to worst; the worst of two wishes wins.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    #[default]
    Up,
    /// Its processes are stopped (a long garbage collection); its kernel still answers.
    Stopped,
    /// The machine stands still: processes stopped, packets held back.
    Frozen,
    /// Its processes were asked to end and stay down.
    Terminated,
    /// Its processes were killed and stay down; peers see their connections close.
    Crashed,
    /// No power: silence, never a FIN.
    PowerLost,
}

/// What a machine suffers. Each field is a dimension of its own: a clock may be wrong on a node whose disk is full.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCondition {
    pub state: NodeState,
    /// Single processes of the node, by the names that its services give them. The state of the node holds for all of them too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub processes: BTreeMap<String, ProcessState>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub disk: DiskCondition,
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock: ClockCondition,
}

/// State of one process of a node that is under power, ordered from well to worst; the worst of two wishes wins.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    #[default]
    Up,
    /// It stands still; the kernel of its node still answers.
    Stopped,
    /// It was asked to end and stays down.
    Terminated,
    /// It was killed and stays down; peers see their connections close.
    Crashed,
}

/// What the disk of a node suffers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCondition {
    /// Added to each read, write and sync.
    pub delay: Duration,
    /// Chances that a read, write or sync fails with an I/O error, each on its own. Sorted: a product of floats would depend on the order.
    pub error: Vec<Chance>,
    /// Nothing more can be written.
    pub full: bool,
    /// No read, write or sync returns.
    pub stalled: bool,
}

/// What the clock of a node suffers. Sums wrap, so that they stay associative: no offset of any use comes near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockCondition {
    /// Ahead of the harness's clock, in microseconds; behind it where negative.
    pub offset_us: i64,
    /// Faster than the harness's clock, in parts per million; slower where negative.
    pub rate_ppm: i64,
}

/// What the assets of a cell do, all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetCondition {
    pub state: FleetState,
}

/// Whether assets talk to the stack, ordered from well to worst; the worst of two wishes wins.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FleetState {
    #[default]
    Online,
    /// Each asset closes its connection and stays away.
    Disconnected,
    /// Signal lost: each asset falls silent without a word.
    Silent,
}

macro_rules! levers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One thing that a lab can do. Derived from [`Conditions`], so that a fault cannot ask for less than it does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Lever {
            $($(#[$doc])* $name),+
        }

        impl Lever {
            /// Every lever once, in order: made of the same list as the variants, so that none can be missing.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

levers! {
    Cut,
    CutPorts,
    Reject,
    RejectPorts,
    Jam,
    JamPorts,
    Delay,
    Jitter,
    Loss,
    Duplicate,
    Corrupt,
    Reorder,
    Rate,
    Mtu,
    Stop,
    Freeze,
    Terminate,
    Crash,
    PowerLoss,
    DiskDelay,
    DiskError,
    DiskFull,
    DiskStall,
    ClockOffset,
    ClockRate,
    Disconnect,
    Silence,
}

/// Where a lever is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pulled {
    OnLinks,
    OnNodes,
    /// By the fleets themselves: no lab has to offer the lever.
    ByFleets,
}

/// One lever at one end: what a window says it does. A lever of one process names the process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    pub lever: Lever,
    pub end: End,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

impl Claim {
    pub fn new(lever: Lever, end: End) -> Self {
        Self { lever, end, process: None }
    }
}

impl Lever {
    /// Where the lever is pulled, and with it who has to be able to.
    pub fn pulled(self) -> Pulled {
        match self {
            Self::Cut
            | Self::CutPorts
            | Self::Reject
            | Self::RejectPorts
            | Self::Jam
            | Self::JamPorts
            | Self::Delay
            | Self::Jitter
            | Self::Loss
            | Self::Duplicate
            | Self::Corrupt
            | Self::Reorder
            | Self::Rate
            | Self::Mtu => Pulled::OnLinks,
            Self::Stop
            | Self::Freeze
            | Self::Terminate
            | Self::Crash
            | Self::PowerLoss
            | Self::DiskDelay
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskStall
            | Self::ClockOffset
            | Self::ClockRate => Pulled::OnNodes,
            Self::Disconnect | Self::Silence => Pulled::ByFleets,
        }
    }
}

impl Conditions {
    /// Both worlds at once.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self { links, nodes, fleets } = other;
        for (link, condition) in links {
            let mine = self.links.entry(link.clone()).or_default();
            *mine = std::mem::take(mine).and(condition);
        }
        for (node, condition) in nodes {
            let mine = self.nodes.entry(node.clone()).or_default();
            *mine = std::mem::take(mine).and(condition);
        }
        for (cell, condition) in fleets {
            let mine = self.fleets.entry(cell.clone()).or_default();
            *mine = mine.and(*condition);
        }
        self
    }

    /// Every lever that this world needs, with the ends it pulls it at: a link counts at both of its ends.
    pub fn claims(&self) -> BTreeSet<Claim> {
        let Self { links, nodes, fleets } = self;
        let mut claims = BTreeSet::new();
        for (link, condition) in links {
            for lever in condition.levers() {
                claims.extend([&link.from, &link.to].map(|end| Claim::new(lever, end.clone())));
            }
        }
        for (node, condition) in nodes {
            let end = End::Node(node.clone());
            let of = |(lever, process)| Claim { lever, end: end.clone(), process };
            claims.extend(condition.levers().into_iter().map(of));
        }
        for (cell, condition) in fleets {
            let lever = condition.state.lever();
            claims.extend(lever.map(|lever| Claim::new(lever, End::Cell(cell.clone()))));
        }
        claims
    }

    /// The levers of [`Conditions::claims`], whichever process they are of.
    pub fn levers(&self) -> BTreeSet<(Lever, End)> {
        self.claims().into_iter().map(|claim| (claim.lever, claim.end)).collect()
    }

    /// State wanted of a node as a whole.
    pub fn node(&self, node: &NodeId) -> NodeState {
        self.nodes.get(node).map(|condition| condition.state).unwrap_or_default()
    }

    /// State wanted of a process: its own or that of its node, whichever is worse.
    pub fn process(&self, node: &NodeId, process: &str) -> NodeState {
        self.nodes.get(node).map(|condition| condition.process(process)).unwrap_or_default()
    }

    /// State wanted of the assets of a cell.
    pub fn fleet(&self, cell: &CellId) -> FleetState {
        self.fleets.get(cell).map(|condition| condition.state).unwrap_or_default()
    }

    /// Cuts a link, beside whatever cuts it already.
    pub fn cut(&mut self, link: Link, ports: Ports, form: CutForm) {
        self.links.entry(link).or_default().cuts.insert(Cut { ports, form });
    }

    /// What a link suffers beside its cuts.
    pub fn quality_mut(&mut self, link: Link) -> &mut LinkQuality {
        &mut self.links.entry(link).or_default().quality
    }
}

impl NodeCondition {
    #[must_use]
    fn and(mut self, other: &Self) -> Self {
        let Self { state, processes, disk, clock } = other;
        self.state = self.state.max(*state);
        for (process, state) in processes {
            let mine = self.processes.entry(process.clone()).or_default();
            *mine = (*mine).max(*state);
        }
        self.disk = self.disk.and(disk);
        self.clock = self.clock.and(*clock);
        self
    }

    /// Every lever that this condition needs, with the process that it is of.
    pub fn levers(&self) -> BTreeSet<(Lever, Option<String>)> {
        let Self { state, processes, disk, clock } = self;
        let of_node = state.lever().into_iter().chain(disk.levers()).chain(clock.levers());
        let of_processes =
            processes.iter().filter_map(|(name, state)| Some((state.lever()?, Some(name.clone()))));
        of_node.map(|lever| (lever, None)).chain(of_processes).collect()
    }

    /// State of a process: its own or that of the node, whichever is worse.
    pub fn process(&self, name: &str) -> NodeState {
        let own = self.processes.get(name).copied().unwrap_or_default();
        self.state.max(own.into())
    }
}

impl From<NodeState> for NodeCondition {
    fn from(state: NodeState) -> Self {
        Self { state, ..Self::default() }
    }
}

impl DiskCondition {
    #[must_use]
    fn and(&self, other: &Self) -> Self {
        let Self { delay, error, full, stalled } = other;
        Self {
            delay: self.delay + *delay,
            error: merged(&self.error, error),
            full: self.full || *full,
            stalled: self.stalled || *stalled,
        }
    }

    fn levers(&self) -> impl Iterator<Item = Lever> {
        let Self { delay, error, full, stalled } = self;
        let levers = [
            (!delay.is_zero(), Lever::DiskDelay),
            (!error.is_empty(), Lever::DiskError),
            (*full, Lever::DiskFull),
            (*stalled, Lever::DiskStall),
        ];
        levers.into_iter().filter_map(|(asked, lever)| asked.then_some(lever))
    }
}

impl ClockCondition {
    #[must_use]
    fn and(self, other: Self) -> Self {
        let Self { offset_us, rate_ppm } = other;
        Self {
            offset_us: self.offset_us.wrapping_add(offset_us),
            rate_ppm: self.rate_ppm.wrapping_add(rate_ppm),
        }
    }

    fn levers(self) -> impl Iterator<Item = Lever> {
        let Self { offset_us, rate_ppm } = self;
        let levers = [(offset_us != 0, Lever::ClockOffset), (rate_ppm != 0, Lever::ClockRate)];
        levers.into_iter().filter_map(|(asked, lever)| asked.then_some(lever))
    }
}

impl FleetCondition {
    #[must_use]
    fn and(self, other: Self) -> Self {
        let Self { state } = other;
        Self { state: self.state.max(state) }
    }
}

impl FleetState {
    pub fn lever(self) -> Option<Lever> {
        match self {
            Self::Online => None,
            Self::Disconnected => Some(Lever::Disconnect),
            Self::Silent => Some(Lever::Silence),
        }
    }
}

impl ProcessState {
    pub fn lever(self) -> Option<Lever> {
        NodeState::from(self).lever()
    }
}

impl From<ProcessState> for NodeState {
    fn from(state: ProcessState) -> Self {
        match state {
            ProcessState::Up => Self::Up,
            ProcessState::Stopped => Self::Stopped,
            ProcessState::Terminated => Self::Terminated,
            ProcessState::Crashed => Self::Crashed,
        }
    }
}

impl LinkCondition {
    #[must_use]
    fn and(mut self, other: &Self) -> Self {
        let Self { cuts, quality } = other;
        self.cuts.extend(cuts.iter().cloned());
        self.quality = self.quality.then(quality);
        self
    }

    pub fn levers(&self) -> BTreeSet<Lever> {
        let Self { cuts, quality } = self;
        let mut levers = quality.levers();
        levers.extend(cuts.iter().map(Cut::lever));
        levers
    }

    /// The cut that decides about a packet with these ports; `carries_data` is false for a handshake, a bare ack, a farewell.
    pub fn cut_for(&self, ports: Option<[u16; 2]>, carries_data: bool) -> Option<&Cut> {
        strongest(&self.cuts, ports, carries_data)
    }
}

/// The strongest of the cuts that meet a packet. One without ports (a later fragment, ICMP) is met by cuts of all ports only.
pub fn strongest(
    cuts: &BTreeSet<Cut>,
    ports: Option<[u16; 2]>,
    carries_data: bool,
) -> Option<&Cut> {
    cuts.iter().filter(|cut| cut.meets(ports, carries_data)).max_by_key(|cut| cut.form)
}

impl Cut {
    /// Whether a packet with these ports is meant; a jam means only those that carry data.
    fn meets(&self, ports: Option<[u16; 2]>, carries_data: bool) -> bool {
        self.ports.meet(ports) && (carries_data || self.form != CutForm::Jam)
    }

    pub fn lever(&self) -> Lever {
        match (&self.ports, self.form) {
            (Ports::All, CutForm::Reject) => Lever::Reject,
            (Ports::Only(_), CutForm::Reject) => Lever::RejectPorts,
            (Ports::All, CutForm::Jam) => Lever::Jam,
            (Ports::Only(_), CutForm::Jam) => Lever::JamPorts,
            (Ports::All, CutForm::Drop) => Lever::Cut,
            (Ports::Only(_), CutForm::Drop) => Lever::CutPorts,
        }
    }
}

impl Ports {
    pub fn contains(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Only(ports) => ports.contains(&port),
        }
    }

    /// Whether a packet with this source and destination port is meant.
    fn meet(&self, ports: Option<[u16; 2]>) -> bool {
        match (self, ports) {
            (Self::All, _) => true,
            (Self::Only(_), Some([source, destination])) => {
                self.contains(source) || self.contains(destination)
            }
            (Self::Only(_), None) => false,
        }
    }
}

impl NodeState {
    pub fn lever(self) -> Option<Lever> {
        match self {
            Self::Up => None,
            Self::Stopped => Some(Lever::Stop),
            Self::Frozen => Some(Lever::Freeze),
            Self::Terminated => Some(Lever::Terminate),
            Self::Crashed => Some(Lever::Crash),
            Self::PowerLost => Some(Lever::PowerLoss),
        }
    }

    /// Whether the node's processes are gone in this state.
    pub fn is_down(self) -> bool {
        self >= Self::Terminated
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// JSON has no keys but text: maps with other keys are written as lists of pairs.
mod listed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
