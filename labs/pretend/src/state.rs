//! Machines and links in the state of the world that is wanted. Pure.
//!
//! It is told a whole world and moves there from whatever it was: after any worlds it equals a fresh place that was given the last one.

use std::collections::{BTreeMap, BTreeSet};

use model::{Conditions, Lever, Link, LinkCondition, NodeCondition, NodeId, NodeState};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Machines that are not simply up, or not with all of their processes.
    machines: BTreeMap<NodeId, NodeCondition>,
    /// Links that are not as the topology has them.
    links: BTreeMap<Link, LinkCondition>,
}

/// What changed on the way from one world to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Machines with the condition they had and the one they have.
    pub machines: Vec<(NodeId, NodeCondition, NodeCondition)>,
    /// Levers of links that did not hold before.
    pub pulled: BTreeSet<(Link, Lever)>,
    /// Levers of links that no longer hold.
    pub let_go: BTreeSet<(Link, Lever)>,
    /// Links that were cut and are no more.
    pub freed: BTreeSet<Link>,
}

impl Place {
    /// Moves to this world, from any other.
    pub fn reconcile(&mut self, world: &Conditions) -> Change {
        // The fleets obey what is wanted of them themselves.
        let Conditions { links, nodes, fleets: _ } = world;
        let mut change = Change::default();
        let names: BTreeSet<&NodeId> = self.machines.keys().chain(nodes.keys()).collect();
        for name in names {
            let was = self.machines.get(name).cloned().unwrap_or_default();
            let is = nodes.get(name).cloned().unwrap_or_default();
            if was != is {
                change.machines.push((name.clone(), was, is));
            }
        }
        for (link, condition) in &self.links {
            let kept = links.get(link).map(LinkCondition::levers).unwrap_or_default();
            let gone = condition.levers().into_iter().filter(|lever| !kept.contains(lever));
            change.let_go.extend(gone.map(|lever| (link.clone(), lever)));
            if !condition.cuts.is_empty() && links.get(link).is_none_or(|now| now.cuts.is_empty()) {
                change.freed.insert(link.clone());
            }
        }
        for (link, condition) in links {
            let had = self.links.get(link).map(LinkCondition::levers).unwrap_or_default();
            let new = condition.levers().into_iter().filter(|lever| !had.contains(lever));
            change.pulled.extend(new.map(|lever| (link.clone(), lever)));
        }
        self.machines = nodes
            .iter()
            .filter(|(_, condition)| **condition != NodeCondition::default())
            .map(|(name, condition)| (name.clone(), condition.clone()))
            .collect();
        self.links = links
            .iter()
            .filter(|(_, condition)| **condition != LinkCondition::default())
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect();
        change
    }

    pub fn machine(&self, name: &NodeId) -> NodeState {
        self.machines.get(name).map(|condition| condition.state).unwrap_or_default()
    }

    /// State of a process: its own or that of its machine, whichever is worse.
    pub fn process(&self, name: &NodeId, process: &str) -> NodeState {
        self.machines.get(name).map(|condition| condition.process(process)).unwrap_or_default()
    }

    /// All that is asked of a machine.
    pub fn condition(&self, name: &NodeId) -> Option<&NodeCondition> {
        self.machines.get(name)
    }

    pub fn way(&self, link: &Link) -> Option<&LinkCondition> {
        self.links.get(link)
    }
}

/// What this lab can do: to messages, which are parts of streams, and to machines.
pub(crate) fn plays(lever: Lever) -> bool {
    match lever {
        Lever::Cut
        | Lever::CutPorts
        | Lever::Reject
        | Lever::RejectPorts
        | Lever::Jam
        | Lever::JamPorts
        | Lever::Delay
        | Lever::Jitter
        | Lever::Loss
        | Lever::Corrupt
        | Lever::Rate
        | Lever::Stop
        | Lever::Freeze
        | Lever::Terminate
        | Lever::Crash
        | Lever::PowerLoss => true,
        // A message has neither copies nor an order nor a size that packets have.
        Lever::Duplicate | Lever::Reorder | Lever::Mtu => false,
        // It has neither a disk nor a clock of its own; assets are the fleets'.
        Lever::DiskDelay
        | Lever::DiskError
        | Lever::DiskFull
        | Lever::DiskStall
        | Lever::ClockOffset
        | Lever::ClockRate
        | Lever::Disconnect
        | Lever::Silence => false,
    }
}
