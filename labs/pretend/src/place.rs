//! Machines and ways in the state of the world that is wanted. Pure.
//!
//! It is told a whole world and moves there from whatever it was: after any worlds it equals a fresh place that was given the last one.

use std::collections::{BTreeMap, BTreeSet};

use model::{Conditions, Lever, Link, LinkCondition, NodeId, NodeState};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Machines that are not simply up.
    machines: BTreeMap<NodeId, NodeState>,
    /// Ways that are not as the topology has them.
    ways: BTreeMap<Link, LinkCondition>,
}

/// What changed on the way from one world to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Machines with the state they had and the one they have.
    pub machines: Vec<(NodeId, NodeState, NodeState)>,
    /// Levers of links that no longer hold.
    pub let_go: BTreeSet<(Link, Lever)>,
    /// Links that were cut and are no more.
    pub freed: BTreeSet<Link>,
}

impl Place {
    /// Moves to this world, from any other.
    pub fn reconcile(&mut self, world: &Conditions) -> Change {
        let Conditions { links, nodes } = world;
        let mut change = Change::default();
        let names: BTreeSet<&NodeId> = self.machines.keys().chain(nodes.keys()).collect();
        for name in names {
            let (was, is) = (self.machine(name), world.node(name));
            if was != is {
                change.machines.push((name.clone(), was, is));
            }
        }
        for (link, condition) in &self.ways {
            let kept = links.get(link).map(LinkCondition::levers).unwrap_or_default();
            let gone = condition.levers().into_iter().filter(|lever| !kept.contains(lever));
            change.let_go.extend(gone.map(|lever| (link.clone(), lever)));
            if !condition.cuts.is_empty() && links.get(link).is_none_or(|now| now.cuts.is_empty()) {
                change.freed.insert(link.clone());
            }
        }
        self.machines = nodes
            .iter()
            .filter(|(_, state)| **state != NodeState::Up)
            .map(|(name, state)| (name.clone(), *state))
            .collect();
        self.ways = links
            .iter()
            .filter(|(_, condition)| **condition != LinkCondition::default())
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect();
        change
    }

    pub fn machine(&self, name: &NodeId) -> NodeState {
        self.machines.get(name).copied().unwrap_or_default()
    }

    /// Machines that do not run.
    pub fn still(&self) -> &BTreeMap<NodeId, NodeState> {
        &self.machines
    }

    pub fn way(&self, link: &Link) -> Option<&LinkCondition> {
        self.ways.get(link)
    }
}
