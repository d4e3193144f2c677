//! The deserializer that collects mistakes and goes on.
//!
//! serde stops at the first mistake. So the value at fault is noted and left out, and the type reads again, until it
//! succeeds with what is left or nothing can be made of it. What only follows from a mistake told before (a key that is
//! missing because its value was left out) is not told.

use std::{cell::RefCell, collections::BTreeMap};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, Unexpected, Visitor},
    forward_to_deserialize_any,
};

mod keys;
mod parts;
mod variant;

use self::{keys::KeyReader, parts::Spanned, variant::Variant};
use super::{
    Complaint, Entry, Key, Kind, Node, Problem, Problems, Span, Unknown,
    error::{At, Error, What, listed},
    scalar::Plain,
    spanned::{PART, SPANNED},
};

/// More mistakes than this in one value are not looked for.
const MISTAKES_MAX: usize = 100;

/// Reads a type from a node. Appends every mistake; what could be made of the rest is returned, so that checks of
/// names can go on. A value is whole only if no problem was appended.
pub fn read_as<'de, T: Deserialize<'de>>(node: &'de Node, problems: &mut Problems) -> Option<T> {
    let bad = Bad::default();
    let mut told = 0;
    loop {
        let reader = Reader { node, owner: None, bad: &bad };
        let error = match T::deserialize(reader).map_err(|error| reader.locate(error)) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let at = error.at.expect("located just above");
        let again = bad.borrow_mut().insert(at.id, meant(&error)).is_none();
        if !at.silent {
            problems.push(error.into_problem(at));
            told += 1;
        }
        if at.id == node.id || !again || told >= MISTAKES_MAX {
            return None;
        }
    }
}

/// Nodes and keys that are left out, each with the names that may have been meant.
type Bad = RefCell<BTreeMap<u32, Vec<String>>>;

fn meant(error: &Error) -> Vec<String> {
    match &error.what {
        What::UnknownKey { found, known } => {
            let unknown = Unknown {
                found: found.clone(),
                known: known.iter().map(|name| (*name).to_owned()).collect(),
            };
            unknown.meant().into_iter().map(str::to_owned).collect()
        }
        _ => vec![],
    }
}

#[derive(Clone, Copy)]
struct Reader<'de, 'b> {
    node: &'de Node,
    /// Span of the key under which the node stands.
    owner: Option<Span>,
    bad: &'b Bad,
}

impl<'de> Reader<'de, '_> {
    /// A mistake that has no place yet happened here.
    fn locate(&self, mut error: Error) -> Error {
        if error.at.is_none() {
            let span = match &error.what {
                What::Missing(_) => self.owner.unwrap_or(self.node.span),
                _ => self.node.span,
            };
            error.at = Some(At {
                id: self.node.id,
                span,
                origin: self.node.origin,
                silent: self.follows(&error.what),
            });
        }
        error
    }

    /// Whether a mistake at this node only follows from one below it.
    fn follows(&self, what: &What) -> bool {
        let bad = self.bad.borrow();
        match (&self.node.kind, what) {
            (Kind::Scalar { .. }, _) => false,
            (Kind::List(items), _) => items.iter().any(|item| bad.contains_key(&item.id)),
            (Kind::Map(entries), What::Missing(wanted)) => {
                entries.iter().any(|Entry { key, value }| {
                    let value_is_bad = key.text == *wanted
                        && (bad.contains_key(&value.id) || bad.contains_key(&key.id));
                    value_is_bad
                        || bad
                            .get(&key.id)
                            .is_some_and(|names| names.iter().any(|name| name == wanted))
                })
            }
            (Kind::Map(entries), _) => entries.iter().any(|Entry { key, value }| {
                bad.contains_key(&key.id) || bad.contains_key(&value.id)
            }),
        }
    }

    fn wrong_type<T>(
        &self,
        found: Unexpected<'_>,
        visitor: &impl Visitor<'de, Value = T>,
    ) -> Error {
        self.locate(Error::invalid_type(found, visitor))
    }

    /// A type that takes a fixed number of items leaves the others where they are: the first of them is a mistake.
    fn list<V: Visitor<'de>>(&self, items: &'de [Node], visitor: V) -> Result<V::Value, Error> {
        let mut reading = Items { reader: *self, left: items.iter() };
        let value = visitor.visit_seq(&mut reading)?;
        let Some(surplus) = reading.next() else { return Ok(value) };
        let belong = items.len() - 1 - reading.left.len();
        Err(self.below(surplus, None).locate(Error::ready(too_many(belong, surplus.span))))
    }

    fn below(&self, node: &'de Node, owner: Option<Span>) -> Self {
        Self { node, owner, bad: self.bad }
    }

    /// Entries that are not left out.
    fn entries(&self, entries: &'de [Entry]) -> std::vec::IntoIter<&'de Entry> {
        let bad = self.bad.borrow();
        let good = entries
            .iter()
            .filter(|entry| !bad.contains_key(&entry.key.id) && !bad.contains_key(&entry.value.id));
        good.collect::<Vec<_>>().into_iter()
    }

    fn text<V: Visitor<'de>>(
        self,
        text: &'de str,
        quoted: bool,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if quoted || matches!(Plain::of(text), Plain::Text(_)) {
            return visitor.visit_borrowed_str(text).map_err(|error| self.locate(error));
        }
        Err(self.locate(Error::ready(not_text(text, self.node.span))))
    }
}

fn too_many(belong: usize, surplus: Span) -> Problem {
    let items =
        if belong == 1 { "1 item belongs".to_owned() } else { format!("{belong} items belong") };
    Problem::new("type", surplus, format!("an item too many: {items} here"))
        .label("one too many")
        .help("Leave it out; what is written here would have no effect")
}

/// A plain scalar that some reader would take for something other than text.
fn not_text(text: &str, span: Span) -> Problem {
    let what = match Plain::of(text) {
        Plain::Null => {
            return Problem::new("missing", span, "no value here")
                .label("empty")
                .help("Write a value, or leave the key out");
        }
        Plain::Trap(what) => return trap(text, what, span),
        Plain::Bool(_) => "a truth value",
        _ => "a number",
    };
    Problem::new("type", span, format!("`{text}` is {what} where text belongs"))
        .label("expected text")
        .help("If it is meant as text, put it in quotes")
        .patch(span, format!("\"{text}\""))
}

fn trap(text: &str, what: &str, span: Span) -> Problem {
    let problem = Problem::new(
        "trap",
        span,
        format!("`{text}` is text to some readers of YAML and {what} to others"),
    )
    .label("means two things");
    match what {
        "`true`" | "`false`" => problem.help(format!("Write {what}, or put it in quotes if it is meant as text")),
        "a number to the base of 60" => {
            problem.help("Write a duration with its unit, such as `90s`, a time of day as `utc 03:00`, or put it in quotes if it is text")
        }
        _ => problem.help("Write the number in plain decimal digits, or put it in quotes if it is text"),
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.kind {
            Kind::Scalar { text, quoted: true } => visitor.visit_borrowed_str(text),
            Kind::Scalar { text, .. } => match Plain::of(text) {
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Unsigned(value) => visitor.visit_u64(value),
                Plain::Negative(value) => visitor.visit_i64(value),
                Plain::Float(value) => visitor.visit_f64(value),
                Plain::Text(text) => visitor.visit_borrowed_str(text),
                Plain::Null | Plain::Trap(_) => Err(Error::ready(not_text(text, self.node.span))),
            },
            Kind::List(items) => self.list(items, visitor),
            Kind::Map(entries) => {
                visitor.visit_map(Fields { reader: self, left: self.entries(entries), value: None })
            }
        };
        result.map_err(|error| self.locate(error))
    }

    /// serde would read a struct from a list too, item by item in the order of its fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::List(_) => Err(self.wrong_type(Unexpected::Seq, &visitor)),
            Kind::Scalar { .. } | Kind::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Scalar { text, quoted } => self.text(text, *quoted, visitor),
            Kind::List(_) => Err(self.wrong_type(Unexpected::Seq, &visitor)),
            Kind::Map(_) => Err(self.wrong_type(Unexpected::Map, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    /// Numbers written in quotes are text; say so instead of quietly converting them.
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    /// What is present is some value: an empty one is a mistake, not a way to leave a key out.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self).map_err(|error| self.locate(error))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let result = match name {
            SPANNED => visitor.visit_seq(Spanned { reader: self, next: 0, whole: true }),
            PART => visitor.visit_seq(Spanned { reader: self, next: 0, whole: false }),
            _ => visitor.visit_newtype_struct(self),
        };
        result.map_err(|error| self.locate(error))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let result = match &self.node.kind {
            Kind::Scalar { text, .. } => {
                visitor.visit_enum(Variant { reader: self, name: text, key: None, content: None })
            }
            Kind::Map(entries) if entries.len() == 1 => {
                let Entry { key, value } = &entries[0];
                visitor.visit_enum(Variant {
                    reader: self,
                    name: &key.text,
                    key: Some(key),
                    content: Some(value),
                })
            }
            Kind::Map(_) => Err(one_of("exactly one key belongs here", names)),
            Kind::List(_) => Err(one_of("a list where one name belongs", names)),
        };
        result.map_err(|error| self.locate(error))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Scalar { text, .. } => {
                visitor.visit_borrowed_str(text).map_err(|error| self.locate(error))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
    }
}

fn one_of(message: &str, names: &[&str]) -> Error {
    Complaint::new("range", message).help(format!("One of {}", listed(names))).raise()
}

struct Items<'de, 'b> {
    reader: Reader<'de, 'b>,
    left: std::slice::Iter<'de, Node>,
}

impl<'de> Items<'de, '_> {
    /// The next item that is not left out.
    fn next(&mut self) -> Option<&'de Node> {
        self.left.by_ref().find(|item| !self.reader.bad.borrow().contains_key(&item.id))
    }
}

impl<'de> de::SeqAccess<'de> for Items<'de, '_> {
    type Error = Error;
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(item) = self.next() else { return Ok(None) };
        let reader = self.reader.below(item, None);
        seed.deserialize(reader).map(Some).map_err(|error| reader.locate(error))
    }
}

struct Fields<'de, 'b> {
    reader: Reader<'de, 'b>,
    left: std::vec::IntoIter<&'de Entry>,
    value: Option<Reader<'de, 'b>>,
}

impl<'de> de::MapAccess<'de> for Fields<'de, '_> {
    type Error = Error;
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some(Entry { key, value }) = self.left.next() else { return Ok(None) };
        self.value = Some(self.reader.below(value, Some(key.span)));
        seed.deserialize(KeyReader { key }).map(Some).map_err(|error| at_key(error, key))
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let reader = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(reader).map_err(|error| reader.locate(error))
    }
}

fn at_key(mut error: Error, key: &Key) -> Error {
    error.at.get_or_insert(At { id: key.id, span: key.span, origin: None, silent: false });
    error
}
