//! What a scenario may write of a Kafka service.

use std::{borrow::Cow, fmt, ops::Deref};

use document::{
    Complaint,
    units::Size,
    within::{MIB, Within},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use seams::{ServiceRef, secure::Secured};
use serde::{Deserialize, Serialize};

/// Bytes of the greatest heap.
const HEAP_MAX: u64 = 64 << 30;

/// A Kafka cluster in KRaft mode with one topic. Each node is broker and controller, unless the cluster has controllers of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct KafkaService(pub(crate) Settings);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Which Kafka: the folder `kafka-VERSION` of the servers' folder.
    pub(crate) version: Version,
    pub(crate) timers: Timers,
    pub(crate) topic: TopicSettings,
    /// Java's heap of each node, in whole mebibytes. Kafka takes half of the least one for its log cleaner at once.
    pub(crate) heap: Heap,
    /// Controllers of their own: the name of a service `kafka-controllers` of this stack, of the same version and with the same timers.
    /// Each node is a controller too where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("endpoint" = "controller"))]
    pub(crate) controllers: Option<ServiceRef>,
    /// Whether replicas that left the set of those in sync may still be elected where that loses nothing (KIP-966); Kafka's own default.
    pub(crate) eligible_leader_replicas: bool,
    /// TLS between all nodes and clients, and who may log in: by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. Default: nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secured: Option<Secured>,
}

pub(crate) type Heap = Within<Size, { 256 * MIB }, HEAP_MAX, MIB>;

/// Controllers of a Kafka cluster in KRaft mode, apart from its brokers: the quorum that keeps who leads what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaControllers {
    /// Which Kafka: that of the brokers.
    pub(crate) version: Version,
    /// Those of the brokers: a broker's session is counted here.
    pub(crate) timers: Timers,
    /// Java's heap of each node, in whole mebibytes.
    pub(crate) heap: Heap,
    /// As the brokers have it.
    pub(crate) eligible_leader_replicas: bool,
}

impl Default for KafkaControllers {
    fn default() -> Self {
        let Settings { version, timers, heap, eligible_leader_replicas, .. } = Settings::default();
        Self { version, timers, heap, eligible_leader_replicas }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: Version("4.1.1".to_owned()),
            timers: Timers::default(),
            topic: TopicSettings::default(),
            heap: Within::given(Size(384 * MIB)),
            controllers: None,
            eligible_leader_replicas: true,
            secured: None,
        }
    }
}

/// How soon the cluster notices that a node is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Timers {
    /// As Kafka has them when nobody sets them: a broker's session of 9 s, replicas that may lag for 30 s.
    #[default]
    Default,
    /// A broker's session of 3 s, replicas that may lag for 3 s: for short drills.
    Quick,
}

/// The topic that readings go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TopicSettings {
    pub(crate) name: TopicName,
    /// An asset's readings go to the partition of its number modulo this.
    pub(crate) partitions: Within<u16, 1, 1024>,
    /// Copies of each partition, on different nodes.
    pub(crate) replicas: Within<u16, 1, 127>,
    /// With fewer replicas in sync, whoever wants `acks: all` is refused (`min.insync.replicas`).
    pub(crate) min_insync: Within<u16, 1, 127>,
    pub(crate) first_leaders: FirstLeaders,
}

/// Where the partitions are led from at first. Losing leader and controller at once adds an election to a new session timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FirstLeaders {
    /// Round and round over all nodes.
    #[default]
    Spread,
    /// All where the active controller is when the topic is made.
    OnController,
    /// Round and round over the other nodes.
    OffController,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            name: TopicName("telemetry".to_owned()),
            partitions: Within::given(3),
            replicas: Within::given(3),
            min_insync: Within::given(2),
            first_leaders: FirstLeaders::default(),
        }
    }
}

impl TryFrom<Settings> for KafkaService {
    type Error = Complaint;

    fn try_from(settings: Settings) -> Result<Self, Complaint> {
        let TopicSettings { replicas, min_insync, .. } = &settings.topic;
        if min_insync > replicas {
            let wrong = format!("`min_insync` is {min_insync}, and there are {replicas} replicas");
            return Err(Complaint::new("range", wrong).help(
                "Nothing could ever be written with `acks: all`; at most as many as replicas",
            ));
        }
        Ok(Self(settings))
    }
}

macro_rules! texts {
    ($($(#[$about:meta])* $name:ident, $pattern:literal, $allowed:expr, $wrong:literal;)+) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(String);

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let allowed: fn(char) -> bool = $allowed;
                let dots = text.chars().all(|c| c == '.');
                match !dots && text.len() <= 249 && text.chars().all(allowed) {
                    true => Ok(Self(text)),
                    false => Err(format!("`{text}` {}", $wrong)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    )+};
}

texts! {
    /// Such as `4.1.1`.
    Version, "^[0-9][0-9.]*$", |c| c.is_ascii_digit() || c == '.',
        "is no version of Kafka, such as `4.1.1`";
    /// As Kafka allows it.
    TopicName, "^[a-zA-Z0-9._-]{1,249}$", |c| c.is_ascii_alphanumeric() || "._-".contains(c),
        "is no name of a topic: letters, digits, `.`, `_` and `-`";
}
