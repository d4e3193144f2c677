//! Three values, the worst wins.

use serde::{Deserialize, Serialize};

/// What a gate or a run says. Ordered from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    /// Too little evidence, either way.
    Inconclusive,
    Fail,
}
