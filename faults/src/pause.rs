//! A node, or one of its processes, stands still and goes on where it was.

use model::{Conditions, NodeState, ProcessState, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{Fault, Moment, Objection};
use serde::{Deserialize, Serialize};

use crate::{process::on_node, target::aimed};

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd, how: process}";

aimed! {
    /// A node stands still. What it believed before, it still believes when the window closes.
    pub struct Pause {
        /// What stands still.
        #[serde(default)]
        pub how: Machinery,
        /// With `how: process`: only the process of this name, as the service calls it. All of them unless said otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub process: Option<String>,
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
        vec![self.target().into()]
    }

    fn deed(&self) -> &'static str {
        "pausing"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        match self.how {
            Machinery::Process => {
                on_node(now, self.process.as_deref(), NodeState::Stopped, ProcessState::Stopped)
            }
            Machinery::Machine => on_node(now, None, NodeState::Frozen, ProcessState::Stopped),
        }
    }

    fn check(&self, _: &Topology) -> Vec<Objection> {
        let mut wrong = self.check_target();
        if self.how == Machinery::Machine && self.process.is_some() {
            let message = "a machine stands still with all of its processes";
            wrong.push(Objection::new("process", message).help("Leave `process` out"));
        }
        wrong
    }

    fn processes(&self) -> Vec<&str> {
        self.process.as_deref().into_iter().collect()
    }
}
