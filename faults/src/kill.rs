//! The processes of a node, or one of them, end and stay down until the window closes.
//!
//! Two kills of one node that touch are one: being down is a level, not an action.

use model::{Conditions, NodeState, ProcessState, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{Fault, Moment, Objection};
use serde::{Deserialize, Serialize};

use crate::{process::on_node, target::aimed};

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd, signal: KILL}";

aimed! {
    /// A crash, or an orderly end: the node's kernel lives, so peers see connections close. What ended starts again when the window closes.
    pub struct Kill {
        /// How the processes end.
        #[serde(default)]
        pub signal: Signal,
        /// Only the process of this name, as the service calls it; the others of the node run on. All of them unless said otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub process: Option<String>,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// SIGKILL: at once.
    #[default]
    Kill,
    /// SIGTERM: they may tidy up first.
    Term,
}

impl Fault for Kill {
    fn targets(&self) -> Vec<Target> {
        vec![self.target().into()]
    }

    fn deed(&self) -> &'static str {
        "killing"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let (node, process) = match self.signal {
            Signal::Kill => (NodeState::Crashed, ProcessState::Crashed),
            Signal::Term => (NodeState::Terminated, ProcessState::Terminated),
        };
        on_node(now, self.process.as_deref(), node, process)
    }

    fn check(&self, _: &Topology) -> Vec<Objection> {
        self.check_target()
    }

    fn processes(&self) -> Vec<&str> {
        self.process.as_deref().into_iter().collect()
    }
}
