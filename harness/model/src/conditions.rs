//! What goes wrong, as a state of the world: the whole wanted state of links and nodes, never a list of actions.
//!
//! Worlds combine by [`Conditions::and`], which is commutative and associative with [`Conditions::default`] as its identity:
//! qualities add as [`LinkQuality::then`] says, a cut stays cut, the worse node state wins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{End, Link, LinkQuality, NodeId};

/// The wanted state of the world beyond its steady links. What is absent is untouched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    #[serde(with = "listed")]
    pub links: BTreeMap<Link, LinkCondition>,
    pub nodes: BTreeMap<NodeId, NodeState>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutForm {
    /// Answered with a TCP reset or an ICMP error.
    Reject,
    /// Accepts and never delivers: connections open, stay open and close, but a packet that carries data is swallowed.
    Jam,
    /// Swallowed.
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
}

/// What a lever takes from the place where it is pulled: whether somebody who needs the place still has a path to it. Ordered from
/// the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severs {
    /// The place is slower, narrower or less reliable, and is still reached.
    #[default]
    Nothing,
    /// Some ports are out of reach: who needs them is cut off, who does not is not.
    SomePorts,
    /// Nobody is served there.
    Everything,
}

impl Lever {
    /// What the lever severs at its place. Every question of this kind is answered here, for every lever.
    pub fn severs(self) -> Severs {
        match self {
            Self::Cut | Self::Reject | Self::Jam => Severs::Everything,
            Self::CutPorts | Self::RejectPorts | Self::JamPorts => Severs::SomePorts,
            Self::Delay
            | Self::Jitter
            | Self::Loss
            | Self::Duplicate
            | Self::Corrupt
            | Self::Reorder
            | Self::Rate
            | Self::Mtu => Severs::Nothing,
            Self::Stop | Self::Freeze | Self::Terminate | Self::Crash | Self::PowerLoss => {
                Severs::Everything
            }
        }
    }
}

impl Conditions {
    /// Both worlds at once.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self { links, nodes } = other;
        for (link, condition) in links {
            let mine = self.links.entry(link.clone()).or_default();
            *mine = std::mem::take(mine).and(condition);
        }
        for (node, state) in nodes {
            let mine = self.nodes.entry(node.clone()).or_default();
            *mine = (*mine).max(*state);
        }
        self
    }

    /// Every lever that this world needs, with the ends it pulls it at: a link counts at both of its ends.
    pub fn levers(&self) -> BTreeSet<(Lever, End)> {
        let Self { links, nodes } = self;
        let of_links = links.iter().flat_map(|(link, condition)| {
            let levers = condition.levers();
            [&link.from, &link.to]
                .into_iter()
                .flat_map(move |end| levers.clone().into_iter().map(|lever| (lever, end.clone())))
        });
        let of_nodes = nodes
            .iter()
            .filter_map(|(node, state)| Some((state.lever()?, End::Node(node.clone()))));
        of_links.chain(of_nodes).collect()
    }

    /// State wanted of a node.
    pub fn node(&self, node: &NodeId) -> NodeState {
        self.nodes.get(node).copied().unwrap_or_default()
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

    /// What this condition leaves of the link.
    pub fn severs(&self) -> Severs {
        self.levers().into_iter().map(Lever::severs).max().unwrap_or_default()
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
    pub fn meet(&self, ports: Option<[u16; 2]>) -> bool {
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
