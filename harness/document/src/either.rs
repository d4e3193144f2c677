//! A plain quantity or a mapping under one key.

use std::{fmt, str::FromStr};

use serde::{Deserialize, de};

use crate::Complaint;

/// Reads a quantity or a mapping. (serde's own `untagged` would say of every mistake only that nothing fitted.)
#[derive(Debug)]
pub struct Either<Q, M, T> {
    /// What belongs here, for the message.
    pub what: &'static str,
    pub plain: fn(Q) -> T,
    pub mapping: fn(M) -> T,
}

impl<'de, Q: FromStr<Err = Complaint>, M: Deserialize<'de>, T> de::Visitor<'de>
    for Either<Q, M, T>
{
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map(self.plain).map_err(Complaint::raise)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        M::deserialize(de::value::MapAccessDeserializer::new(map)).map(self.mapping)
    }
}
