//! The safety of a drill, as it is written.

use document::{Sp, units::Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// How much may break.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Safety {
    #[serde(default)]
    pub(crate) tolerates: Tolerates,
    /// A plan that could last longer is refused.
    pub(crate) max_duration: Option<Sp<Time>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tolerates {
    /// Regions that may be lost while the service must still serve. Default: 1.
    pub(crate) regions: Option<Sp<u32>>,
}
