//! What a scenario may say of Patroni, and what Patroni would not take.

use std::{path::PathBuf, time::Duration};

use document::{
    units::{Size, Time},
    within::{HOUR, SECOND, Within},
};
use model::ServiceId;
use schemars::JsonSchema;
use seams::{ServiceRef, Timer, servers::Requirement};
use serde::{Deserialize, Serialize};

use crate::{
    alone::{PROGRAMS, TABLE},
    login::Name,
    settings::{self, Parameters},
};

/// A PostgreSQL primary with standbys under Patroni, one server on each node, and a lock in an etcd of the same stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct PatroniService(Settings);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where Patroni keeps who leads: the name of an etcd of this stack.
    #[schemars(extend("endpoint" = "client"))]
    pub(crate) etcd: ServiceRef,
    /// Which Patroni.
    #[serde(default)]
    pub(crate) version: Version,
    /// Whether an ack waits for a copy.
    #[serde(default)]
    pub(crate) replication: Replication,
    /// How long the lock stays with a primary that says nothing more: a failover takes about as long. Patroni takes no less than 20 s.
    #[serde(default = "ttl")]
    pub(crate) ttl: Within<Time, { 20 * SECOND }, HOUR, SECOND>,
    /// How often Patroni looks and renews its lock.
    #[serde(default = "loop_wait")]
    pub(crate) loop_wait: Within<Time, SECOND, HOUR, SECOND>,
    /// How long Patroni tries to reach etcd before the primary steps down.
    #[serde(default = "retry_timeout")]
    pub(crate) retry_timeout: Within<Time, { 3 * SECOND }, HOUR, SECOND>,
    /// A copy that is further behind than this is not promoted.
    #[serde(default = "maximum_lag_on_failover")]
    pub(crate) maximum_lag_on_failover: Size,
    /// The folder of PostgreSQL's programs. Made for 15.
    #[serde(default = "programs")]
    pub(crate) programs: PathBuf,
    /// PostgreSQL's own settings, by name. Durability is PostgreSQL's default (`fsync`, `synchronous_commit` on) where nothing is said.
    #[serde(default)]
    pub(crate) settings: Parameters,
    /// The table that is made for readings.
    #[serde(default = "table")]
    pub(crate) table: Name,
}

/// Patronis that were seen to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Version {
    /// Debian 12's. After a partition its old primary takes the lock back from the new one.
    #[serde(rename = "3.0.2")]
    V3_0_2,
    /// From the Python index, in the servers' folder.
    #[default]
    #[serde(rename = "4.1.5")]
    V4_1_5,
}

/// What an ack waits for beside the primary's own disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Replication {
    /// Nothing: what the standbys have not got when the primary is lost is lost.
    #[default]
    Async,
    /// One standby, for as long as there is one (`synchronous_mode`).
    Sync,
    /// One standby; without one nothing is acked (`synchronous_mode_strict`).
    SyncStrict,
}

fn ttl() -> Within<Time, { 20 * SECOND }, HOUR, SECOND> {
    Within::given(Time(Duration::from_secs(30)))
}

fn loop_wait() -> Within<Time, SECOND, HOUR, SECOND> {
    Within::given(Time(Duration::from_secs(10)))
}

fn retry_timeout() -> Within<Time, { 3 * SECOND }, HOUR, SECOND> {
    Within::given(Time(Duration::from_secs(10)))
}

fn maximum_lag_on_failover() -> Size {
    Size(1 << 20)
}

fn programs() -> PathBuf {
    PROGRAMS.into()
}

fn table() -> Name {
    TABLE.into()
}

/// Patroni itself would change such timers behind the scenario's back.
impl TryFrom<Settings> for PatroniService {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, String> {
        let least = settings.loop_wait.0 + 2 * settings.retry_timeout.0;
        if least > settings.ttl.0 {
            return Err(format!(
                "`ttl` is less than `loop_wait` and twice `retry_timeout`, which is {least:?}; Patroni would change them by itself"
            ));
        }
        Ok(Self(settings))
    }
}

impl PatroniService {
    pub(crate) fn settings(&self) -> &Settings {
        &self.0
    }

    pub(crate) fn requirements(&self) -> Vec<Requirement> {
        let patroni = match self.0.version {
            Version::V3_0_2 => "/usr/bin/patroni",
            Version::V4_1_5 => "patroni-4.1.5/patroni/__main__.py",
        };
        let mut all = settings::requirements(&self.0.programs);
        all.push(Requirement::program(patroni, "patroni"));
        all
    }

    pub(crate) fn table(&self) -> &Name {
        &self.0.table
    }

    pub(crate) fn waits_for_a_copy(&self) -> bool {
        self.0.replication != Replication::Async
    }

    pub(crate) fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value: Time, bounds_failover| Timer {
            name: name.to_owned(),
            value: value.0,
            bounds_failover,
        };
        vec![
            timer("ttl", *self.0.ttl, true),
            timer("loop_wait", *self.0.loop_wait, false),
            timer("retry_timeout", *self.0.retry_timeout, false),
        ]
    }
}

impl Settings {
    pub(crate) fn dcs(&self) -> &ServiceId {
        &self.etcd.0
    }
}
