//! One always-on source: its connection, its recorder, what it has under way.

use std::time::Duration;

use model::Micros;

use crate::{connection::Connection, recorder::Recorder};

/// A timer may be this late without slowing the replay: several times the runtime's tick of a millisecond.
const TIMER_LATE: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(crate) struct Asset {
    pub(crate) connection: Connection,
    pub(crate) cohort: u16,
    /// Tickets of its readings under way, in order of sending.
    pub(crate) under_way: Vec<u32>,
    pub(crate) recorder: Recorder,
    pub(crate) pace: Pace,
}

/// When the replay's next reading has its turn.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) at: Micros,
    /// Epoch of the connection for which a timer is set.
    pub(crate) timer: Option<u32>,
    /// How far behind its pace the replay began after a silence. It makes up for that, and this is zero when it has.
    pub(crate) behind: Duration,
}

impl Pace {
    /// A reading takes its turn, which has come.
    pub(crate) fn take(&mut self, now: Micros, gap: Duration) {
        // The pace is kept over a late timer, but a time without anything to replay is not made up for. What the first connection
        // after a silence took is, and so is the time of the live ones that went first after it.
        let late = now.since(self.at);
        let kept = late < gap.max(TIMER_LATE) || !self.behind.is_zero();
        if late < gap {
            self.behind = Duration::ZERO;
        }
        self.at = if kept { self.at } else { now } + gap;
    }
}
