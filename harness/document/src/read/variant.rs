//! Reads an enum.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Visitor},
};

use super::Reader;
use crate::{
    Complaint, Key, Node,
    error::{At, Error, What},
};

/// One variant of an enum: a bare name, or a mapping of one key.
pub(super) struct Variant<'de, 'b> {
    pub(super) reader: Reader<'de, 'b>,
    pub(super) name: &'de str,
    pub(super) key: Option<&'de Key>,
    pub(super) content: Option<&'de Node>,
}

impl<'de, 'b> de::EnumAccess<'de> for Variant<'de, 'b> {
    type Error = Error;
    type Variant = Self;
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = de::value::BorrowedStrDeserializer::<Error>::new(self.name);
        let value = seed.deserialize(name).map_err(|mut error| {
            if let Some(key) = self.key {
                let Node { id, origin, .. } = *self.reader.node;
                error.at.get_or_insert(At { id, span: key.span, origin, silent: false });
            }
            error
        });
        value.map(|value| (value, self))
    }
}

impl<'de, 'b> Variant<'de, 'b> {
    fn content(&self) -> Result<Reader<'de, 'b>, Error> {
        let below = self.content.map(|node| self.reader.below(node, self.key.map(|key| key.span)));
        below.filter(|reader| !reader.bad.borrow().contains_key(&reader.node.id)).ok_or_else(|| {
            if self.content.is_some() {
                return Error {
                    what: What::Missing(""),
                    at: Some(At {
                        id: self.reader.node.id,
                        span: self.reader.node.span,
                        origin: None,
                        silent: true,
                    }),
                };
            }
            Complaint::new("range", format!("`{}` needs parameters", self.name))
                .help(format!("Write `{}: {{...}}`", self.name))
                .raise()
        })
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'de, '_> {
    type Error = Error;
    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Complaint::new("range", format!("`{}` takes no parameters", self.name))
                .help(format!("Write just `{}`", self.name))
                .raise()),
        }
    }
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        let reader = self.content()?;
        seed.deserialize(reader).map_err(|error| reader.locate(error))
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.content()?.deserialize_any(visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content()?.deserialize_struct("", fields, visitor)
    }
}
