//! NAME: say here what it demands, and from which page its definition is.

use schemars::JsonSchema;
use seams::gate::Rests;
use serde::{Deserialize, Serialize};

use super::{Evidence, Gate, Judgement, at_most};

/// What a scenario may not have more of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TYPE {
    /// More than this fails.
    max: u64,
}

impl Gate for TYPE {
    fn rests(&self) -> Rests {
        Rests::Count
    }

    fn judge(&self, _: &Evidence<'_>) -> Judgement {
        Judgement::no_data(at_most(self.max), "nobody has said yet what is counted")
    }
}
