//! Floor 2: fleets, schedules, recorder, deadlines. Knows no protocol.
//!
//! An open loop: the schedule decides when a reading exists, and nothing that happens on its way delays the next one. One sending
//! thread carries every fleet of the plan. What is deliberately absent: contact windows, device clocks, several processes.

mod asset;
mod connection;
mod contact;
mod engine;
mod fleet;
mod fleets;
mod in_flight;
mod ledger;
mod outbox;
mod outcomes;
mod recorder;
mod roll;
mod sending;
mod silence;
mod timers;

pub use fleets::{Fleets, Setup, Thread, TrafficError};
pub use roll::{roll, shards};

#[cfg(test)]
mod tests;
