//! `wetdress sink`: a small server that receives readings over HTTP/1.1 and HTTP/2 (with prior knowledge) on one port, and lets them be
//! read back. For benches, tests and newcomers, and the program of the service `sink`.
//!
//! * `args`: what it is told when it starts
//! * `server`: connections, from the first to the end
//! * `fast`: the plain requests of HTTP/1.1; `api`: all others, by hyper
//! * `shared`: what connections share
//! * `kept`: the readings, in order of arrival
//! * `stall`: when it does not answer
//! * `stamps`: when each request was answered, as a file
//!
//! Absent on purpose: replication, a disk, TLS, authentication. What it received is gone when it ends.

mod api;
mod args;
mod fast;
mod kept;
mod server;
mod shared;
mod stall;
mod stamps;

pub use args::SinkArgs;
pub use server::{Sink, SinkError};
pub use shared::Counts;
