//! Floor 3: one run of a plan. The lab, the cast, the traffic and the journal are handed in, so that the command line, tests and whoever
//! runs many plans share this one way of running them.
//!
//! * `drill`: up, armed, conducted, drained, read back, closed
//! * `room`: what a plan needs of the machine
//! * `bring_up`: until the stack serves
//! * `cast`: a plan's kinds brought to life
//! * `offers`: what the lab can do against what the plan asks
//! * `journal`: the one writer of events
//! * `observing`: observers at work
//! * `error`: why a run did not reach its end
//!
//! Absent on purpose: the terminal, signals, exit codes, and the meaning of a run, which is judged later from the run folder alone.

mod bring_up;
mod cast;
mod drill;
mod error;
mod journal;
mod observing;
mod offers;
mod room;

pub use cast::{Cast, CastError, Kinds};
pub use drill::{Drill, Load, MakeTraffic, run_number};
pub use error::{DrillError, Written, chain};
pub use journal::{Journal, Listener};
pub use offers::Lacking;
