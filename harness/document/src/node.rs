//! The tree.

use super::{Ids, Span};

/// A value of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// One number per node and key of a document; copies made by an alias have numbers of their own.
    pub id: u32,
    /// What to underline: the scalar, the flow collection, or the first key or dash of a block collection.
    pub span: Span,
    /// Where the value was defined, when it is used through an alias.
    pub origin: Option<Span>,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Text after YAML's own unescaping; `quoted` is false for a plain scalar, whose meaning depends on its text.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    /// In the order of the file, without duplicates.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub id: u32,
    pub span: Span,
    pub text: String,
    pub quoted: bool,
}

impl Node {
    /// The entries of a mapping; empty for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The entry with this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key.text == key)
    }

    /// The value under this key.
    pub fn at(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// This mapping without some of its keys; the numbers stay.
    #[must_use]
    pub fn without(&self, keys: &[&str]) -> Self {
        let mut node = self.clone();
        if let Kind::Map(entries) = &mut node.kind {
            entries.retain(|entry| !keys.contains(&entry.key.text.as_str()));
        }
        node
    }

    /// A mapping of one key, made up by the reader for a short form; it stands where its value stands.
    #[must_use]
    pub fn under(self, key: &str, ids: &mut Ids) -> Self {
        let span = self.span;
        let key = Key { id: ids.fresh(), span, text: key.to_owned(), quoted: false };
        Self {
            id: ids.fresh(),
            span,
            origin: self.origin,
            kind: Kind::Map(vec![Entry { key, value: self }]),
        }
    }

    /// The node with this number, here or below.
    pub fn find(&self, id: u32) -> Option<&Self> {
        self.all().find(|node| node.id == id)
    }

    /// This node and everything below it, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let node = waiting.pop()?;
            match &node.kind {
                Kind::Scalar { .. } => {}
                Kind::List(items) => waiting.extend(items.iter().rev()),
                Kind::Map(entries) => {
                    waiting.extend(entries.iter().rev().map(|entry| &entry.value))
                }
            }
            Some(node)
        })
    }

    /// Lays `over` on top: mappings merge key by key, anything else replaces.
    #[must_use]
    pub fn merged(self, over: Self) -> Self {
        match (self.kind, over.kind) {
            (Kind::Map(mut mine), Kind::Map(theirs)) => {
                for entry in theirs {
                    match mine.iter().position(|old| old.key.text == entry.key.text) {
                        Some(at) => {
                            let old = mine.remove(at);
                            mine.insert(
                                at,
                                Entry { value: old.value.merged(entry.value), key: entry.key },
                            );
                        }
                        None => mine.push(entry),
                    }
                }
                Self { kind: Kind::Map(mine), id: over.id, span: over.span, origin: over.origin }
            }
            (_, kind) => Self { kind, id: over.id, span: over.span, origin: over.origin },
        }
    }

    /// A copy with numbers of its own.
    pub(super) fn copied(&self, ids: &mut Ids) -> Self {
        let kind = match &self.kind {
            scalar @ Kind::Scalar { .. } => scalar.clone(),
            Kind::List(items) => Kind::List(items.iter().map(|item| item.copied(ids)).collect()),
            Kind::Map(entries) => {
                let copy = |entry: &Entry, ids: &mut Ids| Entry {
                    key: Key { id: ids.fresh(), ..entry.key.clone() },
                    value: entry.value.copied(ids),
                };
                Kind::Map(entries.iter().map(|entry| copy(entry, ids)).collect())
            }
        };
        Self { id: ids.fresh(), span: self.span, origin: self.origin, kind }
    }

    /// What stands here, without its places: the same text for the same content, keys in any order.
    pub(super) fn write_content(&self, into: &mut String) {
        match &self.kind {
            Kind::Scalar { text, quoted } => *into += &format!("{quoted}{text:?}"),
            Kind::List(items) => {
                into.push('[');
                for item in items {
                    item.write_content(into);
                    into.push(',');
                }
                into.push(']');
            }
            Kind::Map(entries) => {
                let mut sorted: Vec<&Entry> = entries.iter().collect();
                sorted.sort_by(|a, b| a.key.text.cmp(&b.key.text));
                into.push('{');
                for Entry { key, value } in sorted {
                    *into += &format!("{:?}:", key.text);
                    value.write_content(into);
                    into.push(',');
                }
                into.push('}');
            }
        }
    }

    /// How many nodes there are, this one included.
    pub(super) fn count(&self) -> usize {
        self.all().count()
    }
}
