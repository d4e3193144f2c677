//! Floor 1: the run folder. Appends events and ledger, reads them back, also after a crash.
//!
//! Everything but `run.json` is append-only and readable after SIGKILL: a torn last line or chunk is cut when reading, damage
//! anywhere else is an error. `docs/guide/run-folder.md` explains every file. Nothing here judges or draws.
//!
//! * `folder`: where everything lies
//! * `journal`: `events.jsonl`
//! * `ledger`: what became of every reading, and what observers saw
//! * `latency`: `latency.hlog`
//! * `counts`: `counters.jsonl`
//! * `summary`: `run.json`
//! * `manifest`: `manifest.json`, what a whole folder holds
//! * `appending`: files that only grow
//! * `lines`: files of JSON lines
//! * `loaded`: a folder read back
//! * `error`: what can go wrong

mod appending;
mod counts;
mod error;
mod folder;
mod journal;
mod latency;
pub mod ledger;
mod lines;
mod loaded;
mod manifest;
mod summary;
#[cfg(test)]
mod tests;

pub use counts::{Count, Counted, Counts};
pub use error::RunError;
pub use folder::{Folder, Held, SenderFiles, SenderPaths};
pub use journal::Journal;
pub use latency::{Histogram, Interval, Latency, histogram};
pub use ledger::{Ledger, Sightings};
pub use loaded::{Generated, Loaded};
pub use summary::{State, Summary};
