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
                if names.is_empty() {
                    return Err(Complaint::new("range", "an empty list of phases")
                        .help("Name a phase, or leave the key out for the gate's own choice")
                        .raise());
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

const LEAST: f64 = 0.01;
const MOST: f64 = 1.0;

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
        let wrong = || {
            Complaint::new("range", format!("`{text}` is no multiple of the baseline"))
                .help("Write it such as `0.8 x baseline`")
                .raise()
        };
        let factor = factor.ok_or_else(wrong)?;
        // Less could not fail, more could not pass.
        if !(LEAST..=MOST).contains(&factor) {
            let message = format!(
                "`{text}` is out of range: at least `{LEAST} x baseline` and at most `{MOST} x baseline` belong here"
            );
            return Err(Complaint::new("range", message)
                .help("Write it such as `0.8 x baseline`")
                .raise());
        }
        Ok(Self(factor))
    }
}

impl JsonSchema for Relative {
    fn schema_name() -> Cow<'static, str> {
        "Relative".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?x baseline$", "description": "A multiple of the baseline.",
                      "least": format!("{LEAST} x baseline"), "most": format!("{MOST} x baseline")})
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
