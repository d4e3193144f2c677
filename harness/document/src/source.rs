//! Where a piece of text stands.

use std::ops::Range;

/// One file of a document: the scenario itself, or something it includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// Index of a [`Source`] in its [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// Every file that a document was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

/// A stretch of one file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

/// Gives every key and value of a document a number of its own, across all its files.
#[derive(Debug, Default)]
pub struct Ids(u32);

impl Ids {
    /// The next number.
    pub fn fresh(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }

    /// How many numbers were given out.
    pub fn count(&self) -> usize {
        self.0 as usize
    }
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        self.0.push(Source { name: name.into(), text: text.into() });
        SourceId(self.0.len() as u32 - 1)
    }

    /// How many files there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The file with this number; it must have been given out by [`Sources::add`] of this value.
    pub fn file(&self, id: SourceId) -> &Source {
        &self.0[id.0 as usize]
    }

    /// Line and column of a span's start, both from 1, the column in characters.
    pub fn position(&self, span: Span) -> (u32, u32) {
        let before = &self.file(span.source).text[..span.start as usize];
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        (line, column)
    }

    /// Puts `*` in the place of a span: what is told of the file does not repeat it.
    pub fn hide(&mut self, span: Span) {
        let stars = "*".repeat(span.range().len());
        self.0[span.source.0 as usize].text.replace_range(span.range(), &stars);
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        &self.file(span.source).text[span.range()]
    }
}

impl Span {
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
