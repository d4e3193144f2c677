//! Floor 2: the lab `NAME`. Say here where its stack runs.
//!
//! * `kind`: its line of the catalog, and the way in
//! * `lab`: what it can do to the stack
//!
//! Absent on purpose: say here what nobody should look for.

mod kind;
mod lab;

pub use kind::LAB;
