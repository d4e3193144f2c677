//! What the fabric has to do so that a world holds: steady links and conditions in, one policy out. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fabric::{Clocked, PortId, Rule};
use model::{
    Conditions, Cut, CutForm, End, Link, LinkCondition, LinkQuality, NodeId, Ports, Topology, Track,
};

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

    /// Two more, of no end of the topology: no condition can mean them.
    pub(crate) fn null_ports(&self) -> [PortId; 2] {
        let first = self.numbers.len() as u32;
        [PortId(first), PortId(first + 1)]
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
pub(crate) struct Silenced {
    /// Without power: nothing goes in or out.
    pub unpowered: BTreeSet<NodeId>,
    /// Standing still: what goes in or out waits for the machine to go on.
    pub frozen: BTreeSet<NodeId>,
}

/// The steady world: what every link does when nothing is wrong, and how it changes by the clock.
#[derive(Debug)]
pub(crate) struct Steady {
    links: BTreeMap<Link, (LinkQuality, Option<Arc<Track>>)>,
}

impl Steady {
    pub(crate) fn of(topology: &Topology) -> Self {
        let way = |link: Link| {
            let track = topology.track(&link);
            let track = (!track.is_empty()).then(|| Arc::new(track));
            (link.clone(), (topology.quality(&link), track))
        };
        Self { links: topology.links().map(way).collect() }
    }

    /// Whether the link's own clock lets packets pass at this moment of the run.
    pub(crate) fn is_up(&self, link: &Link, at: Duration) -> bool {
        let track = self.links.get(link).and_then(|(_, track)| track.as_ref());
        track.and_then(|track| track.at(at)).is_none_or(|slot| slot.up)
    }

    pub(crate) fn is_clocked(&self) -> bool {
        self.links.values().any(|(_, track)| track.is_some())
    }
}

/// The policy of a world. `origin_ns` is when tracks begin, on the fabric's clock; before it is known their first slot holds.
pub(crate) fn policy(
    steady: &Steady,
    numbering: &Numbering,
    conditions: &Conditions,
    silenced: &Silenced,
    origin_ns: u64,
) -> fabric::Policy {
    let untouched = LinkCondition::default();
    let rules = steady.links.iter().filter_map(|(link, (quality, track))| {
        let condition = conditions.links.get(link).unwrap_or(&untouched);
        let clocked = track.as_ref().map(|track| Clocked { origin_ns, track: track.clone() });
        let mut rule = Rule {
            cuts: condition.cuts.clone(),
            quality: quality.then(&condition.quality),
            clocked,
        };
        let one_is = |nodes: &BTreeSet<NodeId>| {
            [&link.from, &link.to]
                .into_iter()
                .any(|end| matches!(end, End::Node(node) if nodes.contains(node)))
        };
        if one_is(&silenced.unpowered) {
            rule.cuts = [Cut { ports: Ports::All, form: CutForm::Drop }].into();
        } else if one_is(&silenced.frozen) {
            rule.quality.delay += HOLD;
        }
        let forwards_at_once = rule == Rule::default();
        if forwards_at_once { None } else { Some((numbering.to_fabric(link)?, rule)) }
    });
    fabric::Policy { links: rules.collect() }
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
            let node = Node {
                region: name.into(),
                zone: None,
                services: ["s".into()].into(),
                address: [198, 18, 0, number].into(),
            };
            topology.nodes.insert(name.into(), node);
        }
        let quality = LinkQuality {
            delay: ms(30),
            loss: vec![Chance(10_000)],
            rate: Some(BitRate(8_000_000)),
            ..LinkQuality::default()
        };
        topology.wan.insert(("a".into(), "b".into()), quality);
        topology
    }

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn link(from: &str, to: &str) -> Link {
        Link::new(End::Node(from.into()), End::Node(to.into()))
    }

    fn of(conditions: &Conditions, silenced: &Silenced) -> (fabric::Policy, Numbering) {
        let topology = topology();
        let numbering = Numbering::new(&topology);
        (policy(&Steady::of(&topology), &numbering, conditions, silenced, 0), numbering)
    }

    fn rule_of(policy: &fabric::Policy, numbering: &Numbering, from: &str, to: &str) -> Rule {
        numbering
            .to_fabric(&link(from, to))
            .and_then(|link| policy.links.get(&link).cloned())
            .unwrap_or_default()
    }

    #[test]
    fn steady_links_and_conditions_add_up() {
        let mut world = Conditions::default();
        let asked = LinkQuality {
            delay: ms(5),
            loss: vec![Chance(500_000)],
            rate: Some(BitRate(16_000_000)),
            ..LinkQuality::default()
        };
        *world.quality_mut(link("a", "b")) = asked;
        let (policy, numbering) = of(&world, &Silenced::default());
        let rule = rule_of(&policy, &numbering, "a", "b");
        assert_eq!(
            (rule.quality.delay, &rule.quality.loss[..]),
            (ms(35), &[Chance(10_000), Chance(500_000)][..])
        );
        assert_eq!(rule.quality.rate, Some(BitRate(8_000_000)), "the tighter one");
        assert_eq!(rule.quality.queue_bytes(), Some(100_000), "100 ms of it");
        assert_eq!(policy.links.len(), 1, "what forwards at once needs no rule");
    }

    #[test]
    fn cuts_keep_their_ports_and_form() {
        let mut world = Conditions::default();
        world.cut(link("b", "c"), Ports::Only([2379].into()), CutForm::Reject);
        let (policy, numbering) = of(&world, &Silenced::default());
        assert_eq!(
            rule_of(&policy, &numbering, "b", "c"),
            Rule::cut(Ports::Only([2379].into()), CutForm::Reject)
        );
        assert_eq!(rule_of(&policy, &numbering, "c", "b"), Rule::default(), "one way");
    }

    #[test]
    fn without_power_nothing_passes() {
        let silenced = Silenced { unpowered: ["b".into()].into(), frozen: ["b".into()].into() };
        let (policy, numbering) = of(&Conditions::default(), &silenced);
        for (from, to) in [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")] {
            assert_eq!(
                rule_of(&policy, &numbering, from, to).cuts,
                Rule::cut(Ports::All, CutForm::Drop).cuts
            );
        }
        assert_eq!(rule_of(&policy, &numbering, "a", "c"), Rule::default());
    }

    #[test]
    fn a_frozen_machine_holds_its_packets() {
        let silenced = Silenced { frozen: ["b".into()].into(), ..Silenced::default() };
        let (policy, numbering) = of(&Conditions::default(), &silenced);
        let rule = rule_of(&policy, &numbering, "b", "c");
        assert!(rule.quality.delay >= HOLD && rule.cuts.is_empty(), "{rule:?}");
    }
}
