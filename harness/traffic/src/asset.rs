//! One always-on source: its connection, its recorder, what it has under way.

use std::time::Duration;

use model::Micros;
use smallvec::SmallVec;

use crate::{connection::Connection, recorder::Recorder};

/// A timer may be this late without slowing the replay: several times the runtime's tick of a millisecond.
const TIMER_LATE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(crate) struct Asset {
    pub(crate) connection: Connection,
    pub(crate) cohort: u16,
    /// Tickets of its readings under way, in order of sending.
    pub(crate) under_way: SmallVec<[u32; 4]>,
    pub(crate) recorder: Recorder,
    pub(crate) pace: Pace,
}

/// When the replay's next reading has its turn.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) at: Micros,
    /// Epoch of the connection for which a timer was set last; a connection has left its first epoch before it replays anything.
    pub(crate) timer: u32,
    /// The replay began behind its pace, after a silence, and has not made up for that yet.
    pub(crate) behind: bool,
}

impl Pace {
    /// A reading takes its turn, which has come.
    pub(crate) fn take(&mut self, now: Micros, gap: Duration) {
        // The pace is kept over a late timer, but a time without anything to replay is not made up for. What the first connection
        // after a silence took is, and so is the time of the live ones that went first after it.
        let late = now.since(self.at);
        let kept = late < gap.max(TIMER_LATE) || self.behind;
        if late < gap {
            self.behind = false;
        }
        self.at = if kept { self.at } else { now } + gap;
    }
}
