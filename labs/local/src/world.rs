//! What the fabric has to do so that a world holds: steady links and conditions in, one policy out. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fabric::{PortId, Rule};
use model::{Conditions, Cut, CutForm, End, Link, LinkCondition, LinkQuality, NodeId, Ports, Topology};

/// The fabric's number of each end: its position in [`Topology::ends`].
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    ends: Vec<End>,
    numbers: BTreeMap<End, PortId>,
}

impl Numbering {
    pub(crate) fn new(topology: &Topology) -> Self {
        let ends: Vec<End> = topology.ends().collect();
        let numbers = ends.iter().cloned().zip((0..).map(PortId)).collect();
        Self { ends, numbers }
    }

    pub(crate) fn port(&self, end: &End) -> Option<PortId> {
        self.numbers.get(end).copied()
    }

    pub(crate) fn end(&self, port: PortId) -> Option<&End> {
        self.ends.get(usize::try_from(port.0).ok()?)
    }

    pub(crate) fn to_fabric(&self, link: &Link) -> Option<fabric::Link> {
        Some(fabric::Link::new(self.port(&link.from)?, self.port(&link.to)?))
    }

    pub(crate) fn to_model(&self, link: fabric::Link) -> Option<Link> {
        Some(Link::new(self.end(link.from)?.clone(), self.end(link.to)?.clone()))
    }
}

/// Longer than any run: what is held waits until the hold ends, and leaves then, in order.
const HOLD: Duration = Duration::from_secs(24 * 3600);

/// Nodes whose links do not work, whatever the conditions of the links say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// Without power: nothing goes in or out.
    pub dark: BTreeSet<NodeId>,
    /// Standing still: what goes in or out waits for the machine to go on.
    pub frozen: BTreeSet<NodeId>,
}

/// The policy of a world.
pub(crate) fn policy(topology: &Topology, numbering: &Numbering, conditions: &Conditions, quiet: &Quiet) -> fabric::Policy {
    let untouched = LinkCondition::default();
    let rules = topology.links().filter_map(|link| {
        let condition = conditions.links.get(&link).unwrap_or(&untouched);
        let mut rule = rule(&topology.quality(&link), condition);
        let one_is =
            |nodes: &BTreeSet<NodeId>| [&link.from, &link.to].into_iter().any(|end| matches!(end, End::Node(node) if nodes.contains(node)));
        if one_is(&quiet.dark) {
            rule.cuts = [Cut { ports: Ports::All, form: CutForm::Drop }].into();
        } else if one_is(&quiet.frozen) {
            rule.quality.delay += HOLD;
        }
        let forwards_at_once = rule == Rule::default();
        if forwards_at_once { None } else { Some((numbering.to_fabric(&link)?, rule)) }
    });
    fabric::Policy { links: rules.collect() }
}

fn rule(steady: &LinkQuality, condition: &LinkCondition) -> Rule {
    let LinkCondition { cuts, quality } = condition;
    Rule { cuts: cuts.clone(), quality: steady.then(quality), clocked: None }
}

/// Ends whose own stack must hand over single packets: something on the way out of them draws per packet.
pub(crate) fn without_offload(policy: &fabric::Policy) -> BTreeSet<PortId> {
    policy.links.iter().filter(|(_, rule)| !rule.quality.loss.is_empty() || rule.quality.rate.is_some()).map(|(link, _)| link.from).collect()
}

#[cfg(test)]
mod tests {
    use model::{
        BitRate, Chance,
        topology::{Node, Region},
    };

    use super::*;

    /// Three nodes; 30 ms, 1 % of loss and 8 Mbit/s from a to b only.
    fn topology() -> Topology {
        let mut topology = Topology::default();
        for (number, name) in (1u8..).zip(["a", "b", "c"]) {
            topology.regions.insert(name.into(), Region::default());
            let node = Node { region: name.into(), zone: None, service: "s".into(), address: [198, 18, 0, number].into() };
            topology.nodes.insert(name.into(), node);
        }
        let quality = LinkQuality { delay: ms(30), loss: vec![Chance(10_000)], rate: Some(BitRate(8_000_000)), ..LinkQuality::default() };
        topology.wan.insert(("a".into(), "b".into()), quality);
        topology
    }

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn link(from: &str, to: &str) -> Link {
        Link::new(End::Node(from.into()), End::Node(to.into()))
    }

    fn of(conditions: &Conditions, quiet: &Quiet) -> (fabric::Policy, Numbering) {
        let topology = topology();
        let numbering = Numbering::new(&topology);
        (policy(&topology, &numbering, conditions, quiet), numbering)
    }

    fn rule_of(policy: &fabric::Policy, numbering: &Numbering, from: &str, to: &str) -> Rule {
        numbering.to_fabric(&link(from, to)).and_then(|link| policy.links.get(&link).cloned()).unwrap_or_default()
    }

    #[test]
    fn steady_links_and_conditions_add_up() {
        let mut world = Conditions::default();
        let asked = LinkQuality { delay: ms(5), loss: vec![Chance(500_000)], rate: Some(BitRate(16_000_000)), ..LinkQuality::default() };
        *world.quality_mut(link("a", "b")) = asked;
        let (policy, numbering) = of(&world, &Quiet::default());
        let rule = rule_of(&policy, &numbering, "a", "b");
        assert_eq!((rule.quality.delay, &rule.quality.loss[..]), (ms(35), &[Chance(10_000), Chance(500_000)][..]));
        assert_eq!(rule.quality.rate, Some(BitRate(8_000_000)), "the tighter one");
        assert_eq!(rule.quality.queue_bytes(), Some(100_000), "100 ms of it");
        assert_eq!(policy.links.len(), 1, "what forwards at once needs no rule");
    }

    #[test]
    fn cuts_keep_their_ports_and_form() {
        let mut world = Conditions::default();
        world.cut(link("b", "c"), Ports::Only([2379].into()), CutForm::Reject);
        let (policy, numbering) = of(&world, &Quiet::default());
        assert_eq!(rule_of(&policy, &numbering, "b", "c"), Rule::cut(Ports::Only([2379].into()), CutForm::Reject));
        assert_eq!(rule_of(&policy, &numbering, "c", "b"), Rule::default(), "one way");
    }

    #[test]
    fn without_power_nothing_passes() {
        let quiet = Quiet { dark: ["b".into()].into(), frozen: ["b".into()].into() };
        let (policy, numbering) = of(&Conditions::default(), &quiet);
        for (from, to) in [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")] {
            assert_eq!(rule_of(&policy, &numbering, from, to).cuts, Rule::cut(Ports::All, CutForm::Drop).cuts);
        }
        assert_eq!(rule_of(&policy, &numbering, "a", "c"), Rule::default());
    }

    #[test]
    fn a_frozen_machine_holds_its_packets() {
        let quiet = Quiet { frozen: ["b".into()].into(), ..Quiet::default() };
        let (policy, numbering) = of(&Conditions::default(), &quiet);
        let rule = rule_of(&policy, &numbering, "b", "c");
        assert!(rule.quality.delay >= HOLD && rule.cuts.is_empty(), "{rule:?}");
    }

    #[test]
    fn offload_is_off_where_packets_are_drawn_one_by_one() {
        let (policy, numbering) = of(&Conditions::default(), &Quiet::default());
        let sender = numbering.port(&End::Node("a".into())).expect("a is an end");
        assert_eq!(without_offload(&policy), [sender].into());
    }
}
