//! Packets between groups of nodes, or between nodes and their clients, are lost or refused.

use model::{
    Conditions, CutForm, Ports, Topology,
    plan::{Mode, NodeTarget, Target},
};
use schemars::JsonSchema;
use seams::{Fault, Moment};
use serde::{Deserialize, Serialize};

use crate::{
    links::{Direction, Others, around, between, side},
    target::Aim,
};

/// The leader is cut from its peers, and its clients still reach it: where most data is lost.
pub(crate) const EXAMPLE: &str = "{isolate: {role: leader, of: etcd}, from: peers}";

/// A network partition. Exactly one of `isolate`, `halves`, `minority`, `majority`, `between` says who is parted.
///
/// A cut holds for established and new connections alike. Members of a group stay joined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// These nodes, as one group, are cut from everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Aim>,
    /// Half of these nodes, rounded up and drawn from the plan's seed, is cut from the other half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halves: Option<Aim>,
    /// A minority of these nodes is cut from the rest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minority: Option<Aim>,
    /// A majority of these nodes is cut from the rest of them. Differs from `minority` only where `from` reaches the clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majority: Option<Aim>,
    /// Two sides. A side that names nothing but a region is the whole region, its assets and observers included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<[Aim; 2]>,
    /// From whom: `all` where nodes are isolated, `peers` where a set is split, unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Others>,
    /// Which way packets are lost, seen from the group that is cut off (with `between`: from the first side).
    #[serde(default)]
    pub direction: Direction,
    /// Silence, an answer that says no, or connections that open and carry nothing.
    #[serde(default)]
    pub form: Form,
    /// Only packets from or to these ports; every port when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// How a packet is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Swallowed.
    #[default]
    Drop,
    /// Answered with a TCP reset or an ICMP error.
    Reject,
    /// Accepts and never delivers: connections open and stay open, packets that carry data are swallowed.
    Jam,
}

impl Partition {
    /// The set that is split, and how much of it is cut off.
    fn split(&self) -> Option<(&Aim, Mode)> {
        let halves = self.halves.as_ref().map(|set| (set, Mode::Percent(50.0)));
        let minority = self.minority.as_ref().map(|set| (set, Mode::Minority));
        halves.or(minority).or_else(|| self.majority.as_ref().map(|set| (set, Mode::Majority)))
    }

    fn shapes(&self) -> usize {
        let Self { isolate, halves, minority, majority, between, .. } = self;
        [isolate, halves, minority, majority].into_iter().flatten().count()
            + usize::from(between.is_some())
    }
}

impl Fault for Partition {
    fn targets(&self) -> Vec<Target> {
        let split = self.split().map(|(set, mode)| NodeTarget { mode, ..set.target() });
        let one = self.isolate.as_ref().map(Aim::target).or(split);
        let all = one.into_iter().chain(self.between.iter().flatten().map(Aim::target));
        all.map(Target::from).collect()
    }

    fn deed(&self) -> &'static str {
        "partitioning"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let topology = now.topology;
        let links = match (&self.between, self.split()) {
            (Some([first, second]), _) => between(
                &side(topology, first, &now.nodes(0)),
                &side(topology, second, &now.nodes(1)),
                self.direction,
            ),
            (None, Some((set, _))) => {
                let set = set.target();
                let peer =
                    |name: &_| topology.nodes.get(name).is_some_and(|node| set.fits(name, node));
                around(
                    topology,
                    &now.nodes(0),
                    self.from.unwrap_or(Others::Peers),
                    self.direction,
                    peer,
                )
            }
            (None, None) => around(
                topology,
                &now.nodes(0),
                self.from.unwrap_or(Others::All),
                self.direction,
                |_| true,
            ),
        };
        let ports = if self.ports.is_empty() {
            Ports::All
        } else {
            Ports::Only(self.ports.iter().copied().collect())
        };
        let form = match self.form {
            Form::Drop => CutForm::Drop,
            Form::Reject => CutForm::Reject,
            Form::Jam => CutForm::Jam,
        };
        let mut world = Conditions::default();
        links.into_iter().for_each(|link| world.cut(link, ports.clone(), form));
        world
    }

    fn check(&self, topology: &Topology) -> Vec<String> {
        let mut wrong = vec![];
        if self.shapes() != 1 {
            wrong.push("say who is parted with exactly one of `isolate`, `halves`, `minority`, `majority`, `between`".to_owned());
        }
        if self.between.is_some() && self.from.is_some() {
            wrong.push("`between` names both sides; leave `from` out".to_owned());
        }
        if let Some((set, mode)) = self.split() {
            let target = set.target();
            let fit = topology.nodes.iter().filter(|(name, node)| target.fits(name, node)).count();
            let part = mode.count(fit);
            if set.role.is_some() {
                wrong.push(
                    "a role says nothing about the other part; split a `service` or a `region`"
                        .to_owned(),
                );
            } else if part == 0 || part == fit {
                wrong.push(format!("{fit} nodes fit, which cannot be split like this; name more of them, or use `isolate`"));
            }
        }
        let Self { isolate, halves, minority, majority, between, .. } = self;
        let aims = [isolate, halves, minority, majority]
            .into_iter()
            .flatten()
            .chain(between.iter().flatten());
        wrong.extend(aims.flat_map(Aim::check_target));
        wrong
    }
}
