//! Floor 0: the words of the project as data. No I/O, no clock, no randomness, no policy.

pub mod conditions;
pub mod envelope;
pub mod event;
pub mod ledger;
pub mod names;
pub mod plan;
pub mod quality;
pub mod role;
pub mod schedule;
pub mod time;
pub mod topology;
pub mod track;
pub mod units;

pub use conditions::{Conditions, Cut, CutForm, Lever, LinkCondition, NodeState, Ports, Severs};
pub use event::{Event, Record};
pub use ledger::{AssetRow, Attempt, Identity, Outcome, Row, ShardRow, Sighting};
pub use names::*;
pub use plan::{KindSpec, Plan};
pub use quality::{Bursts, Jitter, LinkQuality, Shape};
pub use role::{HeldRole, RoleKind};
pub use time::Micros;
pub use topology::{End, Link, NodeIndex, Topology};
pub use track::{Slot, Track};
pub use units::{BitRate, Chance};
