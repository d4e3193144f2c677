//! The processes of a node end and stay down until the window closes.
//!
//! Two kills of one node that touch are one: being down is a level, not an action.

use model::{Conditions, NodeState, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{Fault, Moment};
use serde::{Deserialize, Serialize};

use crate::target::aimed;

pub(crate) const EXAMPLE: &str = "{role: leader, of: etcd, signal: KILL}";

aimed! {
    /// A crash, or an orderly end: the node's kernel lives, so peers see connections close. The node starts again when the window closes.
    pub struct Kill {
        /// How the processes end.
        #[serde(default)]
        pub signal: Signal,
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
        vec![self.target()]
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let state = match self.signal {
            Signal::Kill => NodeState::Crashed,
            Signal::Term => NodeState::Terminated,
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
