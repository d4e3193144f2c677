//! What the fabric has to do so that a world holds: steady links and conditions in, one policy out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Cut, Form, PortId, Rate, Rule};
use model::{BitRate, Conditions, CutForm, End, Link, LinkCondition, LinkQuality, NodeId, Ports, Topology};

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

/// The policy of a world. `dark` nodes neither send nor receive: no power, or a machine that stands still.
pub(crate) fn policy(topology: &Topology, numbering: &Numbering, conditions: &Conditions, dark: &BTreeSet<NodeId>) -> fabric::Policy {
    let untouched = LinkCondition::default();
    let is_dark = |end: &End| matches!(end, End::Node(node) if dark.contains(node));
    let rules = topology.links().filter_map(|link| {
        let condition = conditions.links.get(&link).unwrap_or(&untouched);
        let mut rule = rule(&topology.quality(&link), condition);
        if is_dark(&link.from) || is_dark(&link.to) {
            rule.cuts = vec![Cut { ports: None, form: Form::Drop }];
        }
        let forwards_at_once = rule == Rule::default();
        if forwards_at_once { None } else { Some((numbering.to_fabric(&link)?, rule)) }
    });
    let mut policy = fabric::Policy::default();
    policy.links = rules.collect();
    policy
}

fn rule(steady: &LinkQuality, condition: &LinkCondition) -> Rule {
    let LinkCondition { cuts, delay, jitter, loss, rate } = condition;
    let all = steady.then(&LinkQuality { delay: *delay, jitter: *jitter, loss: loss.clone(), rate: *rate });
    Rule {
        cuts: cuts.iter().map(|(ports, form)| cut(ports, *form)).collect(),
        loss: all.loss.iter().map(|chance| chance.as_f64()).collect(),
        rate: all.rate.map(serialiser),
        delay: all.delay,
        jitter: all.jitter,
    }
}

fn cut(ports: &Ports, form: CutForm) -> Cut {
    Cut {
        ports: match ports {
            Ports::All => None,
            Ports::Only(ports) => Some(ports.clone()),
        },
        form: match form {
            CutForm::Reject => Form::Reject,
            CutForm::Drop => Form::Drop,
        },
    }
}

/// A queue of 100 ms in front of a slow link, a common depth of access routers, and never less than 64 KiB.
fn serialiser(rate: BitRate) -> Rate {
    Rate { bps: rate.0, queue_bytes: (rate.0 / 8 / 10).max(64 << 10) }
}

/// Ends whose own stack must hand over single packets: something on the way out of them draws per packet.
pub(crate) fn without_offload(policy: &fabric::Policy) -> BTreeSet<PortId> {
    policy.links.iter().filter(|(_, rule)| rule.is_per_packet()).map(|(link, _)| link.from).collect()
}
