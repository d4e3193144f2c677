//! The known result of a drill, as it is written.

use document::Sp;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// Kinds of gates, of each of which at least one fails; every other gate passes or does not apply.
    pub(crate) fails: Vec<Sp<String>>,
}
