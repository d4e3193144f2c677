//! For tests only: what several rooms' tests need. Rooms take it as a dev-dependency, and `xtask/tests/floors.rs` refuses it in what is
//! shipped.
//!
//! * `patience`: how long a test waits for what must happen, and ways to wait
//! * `plan`: a small plan to change
//! * `recorded`: a drill as its run folder would hold it, to be spoilt and judged
//! * `oracle`: findings in the words of the reference implementation, and what differs
//! * `scenarios`: the scenarios of the tree
//! * `fuzz`: changed inputs, by seed, for whatever reads bytes

mod fuzz;
pub mod oracle;
mod patience;
pub mod plan;
pub mod recorded;
mod scenarios;

pub use fuzz::{Corpus, Random, fuzz};
pub use patience::{answer, holds_within, patience, seen, until, within};
pub use scenarios::{scenarios, shipped};
