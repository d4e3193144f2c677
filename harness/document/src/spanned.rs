//! Values that know where they stand, for checks across sections.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use super::{SourceId, Span};

/// Names by which the document's deserializer recognises the types of this file.
pub(super) const SPANNED: &str = "$wetdress::document::Sp";
pub(super) const PART: &str = "$wetdress::document::Part";

/// A value with the span of the text that it was read from. Only readable from a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sp<T> {
    pub value: T,
    pub span: Span,
}

/// A part of the document that is kept as it is, to be read later by the kind that it turns out to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of its node.
    pub id: u32,
    pub span: Span,
}

impl<T> Deref for Sp<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sp<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Sp<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a document")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Sp<T>, A::Error> {
                let span = read_span(&mut parts)?;
                let value = parts
                    .next_element()?
                    .ok_or_else(|| de::Error::custom("a value without its text"))?;
                Ok(Sp { value, span })
            }
        }
        deserializer.deserialize_newtype_struct(SPANNED, Visitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Part;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of a document")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Part, A::Error> {
                let span = read_span(&mut parts)?;
                let id = parts
                    .next_element()?
                    .ok_or_else(|| de::Error::custom("a part without its number"))?;
                Ok(Part { id, span })
            }
        }
        deserializer.deserialize_newtype_struct(PART, Visitor)
    }
}

fn read_span<'de, A: de::SeqAccess<'de>>(parts: &mut A) -> Result<Span, A::Error> {
    let mut number = || {
        parts.next_element::<u32>()?.ok_or_else(|| de::Error::custom("a span has three numbers"))
    };
    Ok(Span { source: SourceId(number()?), start: number()?, end: number()? })
}

impl<T: JsonSchema> JsonSchema for Sp<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl JsonSchema for Part {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}
