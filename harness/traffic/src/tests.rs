//! Whole timelines on a paused clock, against a lane in memory.

mod away;
mod behaviour;
mod full;
mod lateness;
mod roster;
mod sample;
mod senders;
mod silence;
mod truth;
mod world;
