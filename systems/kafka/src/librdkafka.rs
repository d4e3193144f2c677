//! The driver `librdkafka`: the client that a service uses, with everything that it does by itself. Its defaults are what such a service
//! would see of a failover, and may be an outage of their own.
//!
//! Its parameters are known to every build; the library is in those with the feature `kafka-librdkafka`.

#[cfg(feature = "librdkafka")]
mod producer;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use document::{
    Complaint,
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{Driver, Site};
use serde::{Deserialize, Serialize};

use crate::acks::Acks;

/// Producers for a service, by librdkafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct LibrdkafkaDriver(Settings);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Who must have a record before it is acked: `all` replicas in sync, or the leader alone (`1`).
    acks: Acks,
    profile: Profile,
    /// Producers of a fleet in each region, which its assets share.
    producers: Within<u16, 1, 64>,
    /// The library's own settings by its own names, as texts: `{linger.ms: "20"}`. They win over the profile.
    settings: BTreeMap<String, String>,
    /// A try to connect ends after this long. It succeeds when the library knows who leads the topic.
    connect_timeout: Within<Time, MS, HOUR, MS>,
}

/// What the library is told beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Profile {
    /// Nothing: as it is when nobody sets anything, with retries for five minutes.
    #[default]
    Defaults,
    /// The defaults with idempotence: retries for five minutes, without copies.
    Idempotent,
    /// As little as possible by itself: no retries, deadlines of one to two seconds, and five requests under way at the most.
    Raw,
}

impl Profile {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Defaults => &[],
            Self::Idempotent => &[("enable.idempotence", "true")],
            Self::Raw => &[
                ("message.send.max.retries", "0"),
                ("max.in.flight.requests.per.connection", "5"),
                ("message.timeout.ms", "2000"),
                ("request.timeout.ms", "1500"),
                ("socket.timeout.ms", "2000"),
                ("socket.connection.setup.timeout.ms", "1000"),
                ("reconnect.backoff.max.ms", "500"),
                ("topic.metadata.refresh.interval.ms", "1000"),
            ],
        }
    }
}

/// What the driver says itself.
const OURS: [&str; 5] =
    ["bootstrap.servers", "metadata.broker.list", "acks", "request.required.acks", "client.id"];

impl Default for Settings {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            profile: Profile::default(),
            producers: Within::given(1),
            settings: BTreeMap::new(),
            connect_timeout: Within::given(Time(Duration::from_secs(5))),
        }
    }
}

impl TryFrom<Settings> for LibrdkafkaDriver {
    type Error = Complaint;

    fn try_from(settings: Settings) -> Result<Self, Complaint> {
        let secret = |name: &&String| name.contains("password") || name.contains("key.pem");
        if let Some(name) = settings.settings.keys().find(|name| OURS.contains(&name.as_str())) {
            let wrong = format!("`{name}` is said by the driver itself");
            return Err(Complaint::new("name", wrong).help("Leave it out, or write `acks:` beside"));
        }
        if let Some(name) = settings.settings.keys().find(secret) {
            let wrong = format!("`{name}` would stand in the record of the run");
            return Err(Complaint::new("secret", wrong)
                .help("Let the library read it from a file, such as by `ssl.key.location`"));
        }
        Ok(Self(settings))
    }
}

impl Settings {
    /// Everything that the library is told, beside where the brokers are.
    #[cfg_attr(not(feature = "librdkafka"), allow(dead_code, reason = "only the library reads it"))]
    fn told(&self) -> BTreeMap<&str, &str> {
        let acks = match self.acks {
            Acks::All => "all",
            Acks::Leader => "1",
        };
        let own = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let profile = self.profile.settings().iter().copied();
        profile.chain(own).chain([("acks", acks)]).collect()
    }
}

impl LibrdkafkaDriver {
    #[cfg(feature = "librdkafka")]
    pub(crate) fn to(self, site: &Site) -> Result<Arc<dyn Driver>, serde_json::Error> {
        Ok(Arc::new(producer::Library { settings: self.0, site: site.clone() }))
    }

    /// # Errors
    /// Always, in this build.
    #[cfg(not(feature = "librdkafka"))]
    #[allow(clippy::unused_self, reason = "as with the library")]
    pub(crate) fn to(self, _site: &Site) -> Result<Arc<dyn Driver>, serde_json::Error> {
        Err(serde::de::Error::custom(
            "librdkafka is not in this build; build one with `cargo build --release --features kafka-librdkafka` (needs gcc and make)",
        ))
    }
}
