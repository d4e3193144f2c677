//! Reads values that keep their place.

use serde::de::{self, DeserializeSeed, value::U32Deserializer};

use super::Reader;
use crate::{Span, error::Error};

/// The parts of an `Sp` or a `Part`: three numbers of the span, then the value or the number of the node.
pub(super) struct Spanned<'de, 'b> {
    pub(super) reader: Reader<'de, 'b>,
    pub(super) next: u8,
    pub(super) whole: bool,
}

impl<'de> de::SeqAccess<'de> for Spanned<'de, '_> {
    type Error = Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next += 1;
        match span_part(self.reader.node.span, self.next) {
            Some(number) => seed.deserialize(number).map(Some),
            None if self.whole => seed.deserialize(self.reader).map(Some),
            None => seed.deserialize(U32Deserializer::new(self.reader.node.id)).map(Some),
        }
    }
}

pub(super) fn span_part(span: Span, part: u8) -> Option<U32Deserializer<Error>> {
    let number = match part {
        1 => span.source.0,
        2 => span.start,
        3 => span.end,
        _ => return None,
    };
    Some(U32Deserializer::new(number))
}
