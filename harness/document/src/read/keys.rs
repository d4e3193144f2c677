//! Reads a key of a mapping.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, Visitor},
    forward_to_deserialize_any,
};

use super::{not_text, parts::span_part};
use crate::{Key, error::Error, scalar::Plain, spanned::SPANNED};

pub(super) struct KeyReader<'de> {
    pub(super) key: &'de Key,
}

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Key { text, quoted, span, .. } = self.key;
        match Plain::of(text) {
            Plain::Text(_) => visitor.visit_borrowed_str(text),
            _ if *quoted => visitor.visit_borrowed_str(text),
            Plain::Unsigned(value) => visitor.visit_u64(value),
            _ => Err(Error::ready(not_text(text, *span))),
        }
    }

    /// Keys of a struct are known words: what they could mean elsewhere does not matter.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(&self.key.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Key { text, quoted, span, .. } = self.key;
        match Plain::of(text) {
            Plain::Text(_) => visitor.visit_borrowed_str(text),
            _ if *quoted => visitor.visit_borrowed_str(text),
            _ => Err(Error::ready(not_text(text, *span))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            SPANNED => visitor.visit_seq(SpannedKey { key: self.key, next: 0 }),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.key.text.as_str().into_deserializer().deserialize_enum(name, names, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit unit_struct seq tuple tuple_struct
        map struct ignored_any
    }
}

struct SpannedKey<'de> {
    key: &'de Key,
    next: u8,
}

impl<'de> de::SeqAccess<'de> for SpannedKey<'de> {
    type Error = Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next += 1;
        match span_part(self.key.span, self.next) {
            Some(number) => seed.deserialize(number).map(Some),
            None => seed.deserialize(KeyReader { key: self.key }).map(Some),
        }
    }
}
