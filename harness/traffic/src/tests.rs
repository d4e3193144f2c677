//! Whole timelines on a paused clock, against a lane in memory.

mod behaviour;
mod full;
mod sample;
mod silence;
mod truth;
mod world;
