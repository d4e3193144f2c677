//! A node loses power: silence, never a FIN.
//!
//! Absent for now: rolling back what was not synced to disk. The disk is kept as the kernel had it.

use model::{Conditions, NodeState, Topology, plan::Target};
use seams::{Fault, Moment, Objection};

use crate::target::aimed;

pub(crate) const EXAMPLE: &str = "{node: store-us-west-1}";

aimed! {
    /// The node is silent from one packet to the next, and boots with a new network stack when the window closes.
    pub struct PowerLoss {}
}

impl Fault for PowerLoss {
    fn targets(&self) -> Vec<Target> {
        vec![self.target().into()]
    }

    fn deed(&self) -> &'static str {
        "cutting the power of"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        Conditions {
            nodes: now
                .nodes(0)
                .into_iter()
                .map(|node| (node, NodeState::PowerLost.into()))
                .collect(),
            ..Default::default()
        }
    }

    fn check(&self, _: &Topology) -> Vec<Objection> {
        self.check_target()
    }
}
