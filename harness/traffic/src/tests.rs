//! Whole timelines on a paused clock, against a lane in memory.

mod behaviour;
mod sample;
mod silence;
mod truth;
mod world;
