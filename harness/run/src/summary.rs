//! `run.json`: how the run stands, and what was found.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of `run.json`.
pub(crate) const FORMAT: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Written first; still there when the run was killed.
    Running,
    Finished,
    /// Ended early, in order.
    Broke,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub format: u32,
    pub state: State,
    /// Environment, findings, verdicts: whatever the writer wants to keep.
    pub body: Value,
}

impl Summary {
    pub fn new(state: State, body: Value) -> Self {
        Self { format: FORMAT, state, body }
    }
}
