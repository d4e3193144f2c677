//! Floor 2: fleets, schedules, recorder, deadlines. Knows no protocol.
//!
//! An open loop: the schedule decides when a reading exists, and nothing that happens on its way delays the next one. Sending
//! threads share the assets of every fleet out among them, and need nothing of each other. What is deliberately absent: device clocks
//! off the true time, reboots, several processes.
//!
//! * `fleets`: the traffic of this process
//! * `setup`: what it needs to know
//! * `sender`: one of its threads
//! * `thread`: where a sender runs
//! * `engine`: the one loop: timers, lanes, seconds
//! * `fleet`: a range of assets: generates, sends, gives up
//! * `prepared`: what there is of it before anything runs
//! * `asset`: one source: its recorder, what is under way
//! * `carrier`: a connection, and the assets that send over it
//! * `connection`: a connection as a state machine
//! * `maybe_at`: moments that may not be
//! * `in_flight`: attempts without an answer, and their deadlines
//! * `outbox`: readings on their way to the lane
//! * `sending`: from the outbox to the lane
//! * `outcomes`: how attempts and readings end
//! * `pace`: how fast it is replayed
//! * `recorder`: store and forward, on board
//! * `timers`: what has to be done later
//! * `contact`: when assets can be reached
//! * `silence`: contact that ends and begins
//! * `orders`: what the wanted world asks of assets
//! * `recording`: what is to be written down
//! * `writing`: the thread that writes it
//! * `roster`: who the assets are

mod asset;
mod carrier;
mod connection;
mod contact;
mod engine;
mod fleet;
mod fleets;
mod in_flight;
mod maybe_at;
mod orders;
mod outbox;
mod outcomes;
mod pace;
mod prepared;
mod recorder;
mod recording;
mod roster;
mod sender;
mod sending;
mod setup;
mod silence;
mod thread;
mod timers;
mod writing;

pub use fleets::Fleets;
pub use roster::{roster, shards};
pub use setup::{Setup, TrafficError};
pub use thread::Thread;

#[cfg(test)]
mod tests;
