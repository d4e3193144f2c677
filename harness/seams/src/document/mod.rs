//! The spanned document: a scenario's text as a tree in which every key and value knows where it stands, and a
//! deserializer over it that collects mistakes and goes on. Kinds just derive `Deserialize`.
//!
//! Absent on purpose: what a scenario means (room `plan`) and how a mistake is drawn (room `plan` too).

mod error;
pub mod links;
mod node;
mod problem;
mod read;
mod scalar;
mod source;
mod spanned;
pub mod units;
mod yaml;

pub use node::{Entry, Key, Kind, Node};
pub use problem::{Problem, Problems, Unknown};
pub use read::read_as;
pub use source::{Ids, Source, SourceId, Sources, Span};
pub use spanned::{Part, Sp};
pub use yaml::{DEPTH_MAX, NODES_MAX, parse};

#[cfg(test)]
mod tests;
