//! What goes wrong, as a state of the world: the whole wanted state of links and nodes, never a list of actions.
//!
//! Worlds combine by [`Conditions::and`], which is commutative and associative with [`Conditions::default`] as its identity:
//! delays add, chances of loss are kept as a list (float products would depend on order), the tighter rate wins,
//! a cut stays cut, the worse node state wins.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{BitRate, Chance, End, Link, NodeId};

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
    /// Which ports are cut, and how. A packet whose source or destination port matches any entry is cut.
    #[serde(with = "listed")]
    pub cuts: BTreeMap<Ports, CutForm>,
    /// Added to the steady delay.
    pub delay: Duration,
    /// Added to the steady jitter.
    pub jitter: Duration,
    /// Independent chances, sorted.
    pub loss: Vec<Chance>,
    pub rate: Option<BitRate>,
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
    /// Swallowed.
    Drop,
}

/// State of a node, ordered from well to worst; the worst of two wishes wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// One thing that a lab can do. Derived from [`Conditions`], so that a fault cannot ask for less than it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lever {
    Cut,
    CutPorts,
    Reject,
    Delay,
    Jitter,
    Loss,
    Rate,
    Stop,
    Freeze,
    Terminate,
    Crash,
    PowerLoss,
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
            [&link.from, &link.to].into_iter().flat_map(move |end| levers.clone().into_iter().map(|lever| (lever, end.clone())))
        });
        let of_nodes = nodes.iter().filter_map(|(node, state)| Some((state.lever()?, End::Node(node.clone()))));
        of_links.chain(of_nodes).collect()
    }

    /// State wanted of a node.
    pub fn node(&self, node: &NodeId) -> NodeState {
        self.nodes.get(node).copied().unwrap_or_default()
    }

    /// Cuts a link for all ports.
    pub fn cut(&mut self, link: Link, ports: Ports, form: CutForm) {
        let cuts = &mut self.links.entry(link).or_default().cuts;
        let mine = cuts.entry(ports).or_insert(form);
        *mine = (*mine).max(form);
    }
}

impl LinkCondition {
    #[must_use]
    fn and(mut self, other: &Self) -> Self {
        let Self { cuts, delay, jitter, loss, rate } = other;
        for (ports, form) in cuts {
            let mine = self.cuts.entry(ports.clone()).or_insert(*form);
            *mine = (*mine).max(*form);
        }
        self.delay += *delay;
        self.jitter += *jitter;
        self.loss.extend(loss);
        self.loss.sort_unstable();
        self.rate = tighter(self.rate, *rate);
        self
    }

    pub fn levers(&self) -> BTreeSet<Lever> {
        let Self { cuts, delay, jitter, loss, rate } = self;
        let mut levers: BTreeSet<Lever> = cuts.iter().map(|(ports, form)| Lever::of_cut(ports, *form)).collect();
        let others = [
            (!delay.is_zero(), Lever::Delay),
            (!jitter.is_zero(), Lever::Jitter),
            (!loss.is_empty(), Lever::Loss),
            (rate.is_some(), Lever::Rate),
        ];
        levers.extend(others.into_iter().filter_map(|(asked, lever)| asked.then_some(lever)));
        levers
    }

    /// The strongest cut that meets a packet with these ports.
    pub fn cut_for(&self, source: u16, destination: u16) -> Option<CutForm> {
        let met = self.cuts.iter().filter(|(ports, _)| ports.contains(source) || ports.contains(destination));
        met.map(|(_, form)| *form).max()
    }
}

impl Ports {
    pub fn contains(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Only(ports) => ports.contains(&port),
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

impl Lever {
    pub fn of_cut(ports: &Ports, form: CutForm) -> Self {
        match (ports, form) {
            (_, CutForm::Reject) => Self::Reject,
            (Ports::All, CutForm::Drop) => Self::Cut,
            (Ports::Only(_), CutForm::Drop) => Self::CutPorts,
        }
    }
}

/// The lower of two rates; None is no limit.
pub(crate) fn tighter(a: Option<BitRate>, b: Option<BitRate>) -> Option<BitRate> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// JSON has no keys but text: maps with other keys are written as lists of pairs.
mod listed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
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
