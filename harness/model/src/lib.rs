//! Floor 0: the words of the project as data. No I/O, no clock, no randomness, no policy.
//!
//! * `plan`: a scenario after reading and checking
//! * `written`: where its parts are written
//! * `fleet`: how its assets are told apart
//! * `phase`: the stretches of its timeline
//! * `topology`: places, and the links between them
//! * `ways`: which nodes may serve an asset
//! * `names`: names of things, a type each
//! * `conditions`: what goes wrong, as a state of the world
//! * `severs`: what a world leaves of the ways that it touches
//! * `hidden`: whether what one window does can be seen beside another
//! * `role`: what a server can be to a shard
//! * `quality`: what a link does to packets
//! * `track`: a link that changes by the clock
//! * `load`: how many times its nominal rate a fleet sends
//! * `schedule`: when each reading is meant to exist
//! * `event`: the journal of a run
//! * `ledger`: who a reading is, what became of it, who saw it
//! * `envelope`: the first bytes of every payload
//! * `time`: time on the one clock
//! * `units`: quantities that are not durations

pub mod conditions;
pub mod envelope;
pub mod event;
mod fleet;
mod hidden;
pub mod ledger;
pub mod load;
pub mod names;
mod phase;
pub mod plan;
pub mod quality;
pub mod role;
pub mod schedule;
mod severs;
pub mod time;
pub mod topology;
pub mod track;
pub mod units;
mod ways;
mod written;

pub use conditions::{
    Claim, ClockCondition, Conditions, Cut, CutForm, DiskCondition, FleetCondition, FleetState,
    Lever, LinkCondition, NodeCondition, NodeState, Ports, ProcessState, Pulled,
};
pub use event::{Event, LabEvent, Record, Stamped};
pub use ledger::{AssetRow, Attempt, Attempts, Identity, Outcome, Row, ShardRow, Sighting};
pub use names::*;
pub use plan::{KindSpec, Plan};
pub use quality::{Bursts, Jitter, LinkQuality, Shape};
pub use role::{HeldRole, RoleKind};
pub use severs::Severs;
pub use time::Micros;
pub use topology::{End, Link, NodeIndex, Topology};
pub use track::{Slot, Track};
pub use units::{BitRate, Chance};
