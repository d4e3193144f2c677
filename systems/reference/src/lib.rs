//! Floor 2: the embedded stack, a small replicated and sharded telemetry service that can be told to misbehave.

pub mod client;
pub mod node;
