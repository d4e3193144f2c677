//! One node of the stack, started as `wetdress reference node`. It is a server under test: its sockets are its own, not the harness's.
//! Deliberately absent: changing the members, snapshots (the whole log is kept, runs are short), authentication.

mod api;
mod args;
mod defects;
mod journal;
mod link;
mod log;
mod members;
mod network;
mod peers;
mod placement;
mod reads;
mod server;
mod shard;
mod state_machine;
mod status;
mod store;
mod submit;
mod types;
mod watcher;
mod wire;

pub use args::{Args, OnFollower};
pub use defects::{Chance, DeadShard, Planted, Stall};
pub use journal::{Defect, Line};
pub use members::Member;
pub use server::{NodeError, main, run};
pub(crate) use status::{RaftRole, ShardStatus, Status};
pub use types::shard_of;
