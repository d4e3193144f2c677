//! Who must have a record before it is acked, as YAML and Kafka say it: `all` or `1`.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What an ack of Kafka promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// Every replica in sync has it.
    All,
    /// The leader has it.
    Leader,
}

impl Acks {
    /// As the protocol says it.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::All => -1,
            Self::Leader => 1,
        }
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Leader => f.write_str("1"),
        }
    }
}

impl Serialize for Acks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::Leader => serializer.serialize_u8(1),
        }
    }
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadAcks)
    }
}

struct ReadAcks;

impl de::Visitor<'_> for ReadAcks {
    type Value = Acks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`all` or `1`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Acks, E> {
        match text {
            "all" => Ok(Acks::All),
            "1" => Ok(Acks::Leader),
            other => Err(E::custom(format!("`acks` is `all` or `1`, and not `{other}`"))),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Acks, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Acks, E> {
        self.visit_str(&number.to_string())
    }
}

impl JsonSchema for Acks {
    fn schema_name() -> Cow<'static, str> {
        "Acks".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": ["all", 1]})
    }
}
