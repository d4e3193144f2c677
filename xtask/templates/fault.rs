//! NAME: say here what goes wrong, and what is deliberately absent.

use model::{Conditions, NodeState, Topology, plan::Target};
use seams::{Fault, Moment, Objection};

use crate::target::aimed;

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd}";

aimed! {
    /// What happens to a node that this fault hits.
    pub(crate) struct TYPE {}
}

impl Fault for TYPE {
    fn targets(&self) -> Vec<Target> {
        vec![self.target().into()]
    }

    fn deed(&self) -> &'static str {
        "stopping"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let state = NodeState::Stopped;
        Conditions {
            nodes: now.nodes(0).into_iter().map(|node| (node, state.into())).collect(),
            ..Default::default()
        }
    }

    fn check(&self, _: &Topology) -> Vec<Objection> {
        self.check_target()
    }
}
