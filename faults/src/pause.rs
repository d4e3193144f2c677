//! A node stands still and goes on where it was.

use model::{Conditions, NodeState, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{Fault, Moment};
use serde::{Deserialize, Serialize};

use crate::target::aimed;

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd, how: process}";

aimed! {
    /// A node stands still. What it believed before, it still believes when the window closes.
    pub struct Pause {
        /// What stands still.
        #[serde(default)]
        pub how: Machinery,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Machinery {
    /// Its processes, as in a long garbage collection; its kernel still answers.
    #[default]
    Process,
    /// The machine, packets held back too.
    Machine,
}

impl Fault for Pause {
    fn targets(&self) -> Vec<Target> {
        vec![self.target()]
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let state = match self.how {
            Machinery::Process => NodeState::Stopped,
            Machinery::Machine => NodeState::Frozen,
        };
        Conditions {
            nodes: now.picked[0].iter().map(|node| (node.clone(), state)).collect(),
            ..Default::default()
        }
    }

    fn check(&self, _: &Topology) -> Vec<String> {
        self.check_target()
    }
}
