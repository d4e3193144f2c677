//! Which links a fault means: those around a group of nodes, or those between two groups.

use std::collections::BTreeSet;

use model::{End, Link, NodeId, RegionId, Topology};
use schemars::JsonSchema;
use seams::Objection;
use serde::{Deserialize, Serialize};

use crate::target::Aim;

/// From whom a group is parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Others {
    /// From other nodes and from clients.
    All,
    /// From other nodes only: clients still reach it.
    Peers,
    /// From assets and observers only: other nodes still reach it.
    Clients,
}

/// Which way packets suffer, seen from the group (with two sides: from the first).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Both,
    /// Packets to the group.
    To,
    /// Packets from the group.
    From,
}

/// `from` has a meaning for a group only.
pub(crate) fn from_beside_between() -> Objection {
    Objection::new("from", "`between` names both sides").help("Leave `from` out")
}

/// Links between the group and the others; `peer` says which nodes count as peers. The group's own members stay joined.
pub(crate) fn around(
    topology: &Topology,
    group: &[NodeId],
    others: Others,
    direction: Direction,
    peer: impl Fn(&NodeId) -> bool,
) -> Vec<Link> {
    let inside: BTreeSet<End> = group.iter().cloned().map(End::Node).collect();
    let outside = topology.ends().filter(|end| match end {
        End::Node(name) => others != Others::Clients && !group.contains(name) && peer(name),
        End::Cell(_) => others != Others::Peers,
    });
    between(&inside, &outside.collect(), direction)
}

/// Links between two sides. Clients do not talk to each other, and nobody is parted from itself.
pub(crate) fn between(
    first: &BTreeSet<End>,
    second: &BTreeSet<End>,
    direction: Direction,
) -> Vec<Link> {
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (one, other)));
    let real = pairs.filter(|(one, other)| {
        one != other && !matches!((one, other), (End::Cell(_), End::Cell(_)))
    });
    let directed = real.flat_map(|(one, other)| {
        let to = (direction != Direction::From).then(|| Link::new(other.clone(), one.clone()));
        let from = (direction != Direction::To).then(|| Link::new(one.clone(), other.clone()));
        to.into_iter().chain(from)
    });
    directed.collect()
}

/// One of two sides: the picked nodes, and where a region is meant as a whole, its clients.
pub(crate) fn side(topology: &Topology, aim: &Aim, picked: &[NodeId]) -> BTreeSet<End> {
    let region = aim.whole_region().map(RegionId::from);
    let clients = topology.cells.iter().filter(|(_, cell)| Some(&cell.region) == region.as_ref());
    let nodes = picked.iter().cloned().map(End::Node);
    nodes.chain(clients.map(|(name, _)| End::Cell(name.clone()))).collect()
}
