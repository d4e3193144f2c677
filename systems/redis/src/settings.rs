//! What a scenario may say of the servers and their sentinels.

use std::{path::PathBuf, time::Duration};

use document::{
    units::Time,
    within::{HOUR, MS, SECOND, Within},
};
use schemars::JsonSchema;
use seams::Site;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The server: a name to be found in the folder of installed servers or on PATH, or an absolute path. Seen to work with 7.0.
    pub(crate) program: PathBuf,
    /// The sentinel, likewise.
    pub(crate) sentinel: PathBuf,
    /// A sentinel takes a server for down that has not answered for this long (`down-after-milliseconds`).
    pub(crate) down_after: Within<Time, { 100 * MS }, HOUR, MS>,
    /// How long a failover may take before another one is tried; the next try is made after twice as long (`failover-timeout`).
    pub(crate) failover_timeout: Within<Time, SECOND, HOUR, MS>,
    /// So many replicas must have answered within `min_replicas_max_lag`, or the master refuses writes. 0: it always takes them.
    pub(crate) min_replicas_to_write: Within<u32, 0, 100>,
    /// In whole seconds.
    pub(crate) min_replicas_max_lag: Within<Time, SECOND, HOUR, SECOND>,
    /// When the append-only file is synced (`appendfsync`).
    pub(crate) fsync: Fsync,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fsync {
    /// Before each ack.
    Always,
    /// Once a second, Redis' own default.
    #[default]
    Everysec,
    /// When the kernel likes.
    Never,
}

impl Fsync {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::Never => "no",
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: "redis-server".into(),
            sentinel: "redis-sentinel".into(),
            down_after: Within::given(Time(Duration::from_secs(2))),
            failover_timeout: Within::given(Time(Duration::from_secs(10))),
            min_replicas_to_write: Within::given(0),
            min_replicas_max_lag: Within::given(Time(Duration::from_secs(10))),
            fsync: Fsync::default(),
        }
    }
}

impl Settings {
    /// Sentinels that must agree that the master is down: more than half.
    pub(crate) fn quorum(&self, site: &Site) -> usize {
        site.nodes().count() / 2 + 1
    }
}
