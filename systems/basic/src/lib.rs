//! Floor 2: what needs no family of servers: plain HTTP, and a small server that receives readings.
//!
//! * `sink`: the server, `wetdress sink`

mod sink;

pub use sink::{Counts, Sink, SinkArgs, SinkError};
