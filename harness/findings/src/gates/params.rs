//! Parameters that several gates share.

use std::borrow::Cow;
use std::fmt;

use document::Complaint;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One phase by name, or a list of them. Empty: the gate's own choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct During(pub Vec<String>);

impl During {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for During {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = During;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a phase, or a list of phases")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<During, E> {
                Ok(During(vec![name.to_owned()]))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<During, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = items.next_element()? {
                    names.push(name);
                }
                Ok(During(names))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for During {
    fn schema_name() -> Cow<'static, str> {
        "During".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "One phase, or a list of phases.",
                      "oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
    }
}

/// A multiple of the baseline, such as `0.8 x baseline`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Relative(pub f64);

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x baseline", self.0)
    }
}

impl Serialize for Relative {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Relative {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let factor =
            text.strip_suffix("baseline").and_then(|rest| rest.trim_end().strip_suffix('x'));
        let factor = factor.and_then(|number| number.trim_end().parse::<f64>().ok());
        let factor = factor.filter(|f| f.is_finite() && *f >= 0.0);
        let wrong = || {
            Complaint::new("range", format!("`{text}` is no multiple of the baseline"))
                .help("Write it such as `0.8 x baseline`")
                .raise()
        };
        factor.map(Self).ok_or_else(wrong)
    }
}

impl JsonSchema for Relative {
    fn schema_name() -> Cow<'static, str> {
        "Relative".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?x baseline$", "description": "A multiple of the baseline."})
    }
}

/// A gate on a count or an amount: nothing but its maximum.
macro_rules! at_most {
    ($(#[$doc:meta])* $name:ident, $max:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// More than this fails.
            pub max: $max,
        }
    };
}
pub(super) use at_most;
