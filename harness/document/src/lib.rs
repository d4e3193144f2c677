//! Floor 0: the spanned document. A text becomes a tree in which every key and value knows where it stands, and a deserializer
//! over the tree collects mistakes and goes on. Types that are read just derive `Deserialize`.
//!
//! * `source`: the files that a document was made of, and spans in them
//! * `yaml`: text to tree; the only file that knows the parser
//! * `node`: the tree
//! * `scalar`: what a plain scalar means, and the traps of older YAML
//! * `read`: the deserializer that collects mistakes and goes on
//! * `spanned`: values that keep their place
//! * `either`: a quantity or a mapping under one key
//! * `units`: quantities, which always carry a unit
//! * `within`: quantities and numbers with a least and a greatest value
//! * `complaint`: why a value cannot be what it is written as, carried through serde
//! * `error`: what serde says of a mistake, on its way to a problem
//! * `problem`: one mistake, as data
//!
//! Absent on purpose: what a scenario means, and how a mistake is drawn.

mod complaint;
mod either;
mod error;
mod node;
mod problem;
mod read;
mod scalar;
mod source;
mod spanned;
pub mod units;
pub mod within;
mod yaml;

pub use complaint::Complaint;
pub use either::Either;
pub use node::{Entry, Key, Kind, Node};
pub use problem::{Problem, Problems, Unknown};
pub use read::read_as;
pub use source::{Ids, Source, SourceId, Sources, Span};
pub use spanned::{Part, Sp};
pub use yaml::{NODES_MAX, parse};

#[cfg(test)]
mod tests;
