//! Whole timelines on a paused clock, against a lane in memory.

mod behaviour;
mod sample;
mod truth;
mod world;
