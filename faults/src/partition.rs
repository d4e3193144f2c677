//! Packets between groups of nodes, or between nodes and their clients, are lost or refused.

use document::within::{self, Within};
use model::{
    Conditions, CutForm, Ports, Topology,
    plan::{Mode, NodeTarget, Target},
};
use schemars::JsonSchema;
use seams::{Fault, Moment, Objection};
use serde::{Deserialize, Serialize};

use crate::{
    links::{Direction, Others, around, between, from_beside_between, side},
    target::{Aim, check_aims},
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
    pub form: CutForm,
    /// Only packets from or to these ports. Default: every port.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "within::some")]
    pub ports: Vec<Within<u16, 1, 65_535>>,
}

impl Partition {
    /// The set that is split, with its key, and how much of it is cut off.
    fn split(&self) -> Option<(&'static str, &Aim, Mode)> {
        let ways = [
            ("halves", &self.halves, Mode::Percent(50.0)),
            ("minority", &self.minority, Mode::Minority),
            ("majority", &self.majority, Mode::Majority),
        ];
        ways.into_iter().find_map(|(key, set, mode)| Some((key, set.as_ref()?, mode)))
    }

    /// Who may be parted, each by its key; `between` has two sides and stands apart.
    fn aims(&self) -> [(&'static str, Option<&Aim>); 4] {
        let Self { isolate, halves, minority, majority, .. } = self;
        [
            ("isolate", isolate.as_ref()),
            ("halves", halves.as_ref()),
            ("minority", minority.as_ref()),
            ("majority", majority.as_ref()),
        ]
    }

    /// Keys of the shapes that are asked for; there must be one.
    fn shapes(&self) -> Vec<&'static str> {
        let one = self.aims().into_iter().filter_map(|(key, aim)| aim.map(|_| key));
        one.chain(self.between.as_ref().map(|_| "between")).collect()
    }
}

impl Fault for Partition {
    fn targets(&self) -> Vec<Target> {
        let split = self.split().map(|(_, set, mode)| NodeTarget { mode, ..set.target() });
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
            (None, Some((_, set, _))) => {
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
            Ports::Only(self.ports.iter().map(|port| **port).collect())
        };
        let mut world = Conditions::default();
        links.into_iter().for_each(|link| world.cut(link, ports.clone(), self.form));
        world
    }

    fn check(&self, topology: &Topology) -> Vec<Objection> {
        let mut wrong = vec![];
        let who = "Say who is parted with exactly one of `isolate`, `halves`, `minority`, `majority`, `between`";
        match self.shapes()[..] {
            [_] => {}
            [] => wrong.push(Objection::new("", "nobody is parted").help(who)),
            [_, second, ..] => {
                wrong.push(Objection::new(second, "two partitions in one").help(who));
            }
        }
        if self.between.is_some() && self.from.is_some() {
            wrong.push(from_beside_between());
        }
        if let Some((key, set, mode)) = self.split() {
            let target = set.target();
            let fit = topology.nodes.iter().filter(|(name, node)| target.fits(name, node)).count();
            let part = mode.count(fit);
            if set.role.is_some() {
                let role = Objection::new("role", "a role says nothing about the other part");
                wrong.push(role.help("Split a `service` or a `region`").under(key));
            } else if part == 0 || part == fit {
                let message = match fit {
                    1 => "a single node fits, which cannot be split".to_owned(),
                    _ => format!("{fit} nodes fit, which cannot be split like this"),
                };
                let help = "Name more of them, or use `isolate`";
                wrong.push(Objection::new(key, message).help(help));
            }
        }
        wrong.extend(check_aims(self.aims(), self.between.as_ref()));
        wrong
    }
}
