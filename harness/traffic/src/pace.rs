//! How fast an asset replays what it recorded.

use std::time::Duration;

use model::Micros;

use crate::carrier::Up;

/// A timer may be this late without slowing the replay: several times the runtime's tick of a millisecond.
const TIMER_LATE: Duration = Duration::from_millis(10);

/// When the replay's next reading has its turn.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pub(crate) at: Micros,
    /// Epoch of the connection for which a timer was set last; a connection has left its first epoch before it replays anything.
    pub(crate) timer: u32,
    /// The replay began behind its pace, after a silence, and has not made up for that yet: unless its connection has had trouble since
    /// it had had so much.
    pub(crate) behind: Option<u32>,
}

impl Pace {
    /// The pace of an asset whose connection has been up since then.
    pub(crate) fn since(up: &Up) -> Self {
        Self { at: up.since, ..Self::default() }
    }

    /// Its connection stands now.
    pub(crate) fn begins(&mut self, up: &Up, now: Micros) {
        (self.at, self.behind) = (up.since, (up.since < now).then_some(up.troubles));
    }

    /// A reading takes its turn, which has come.
    pub(crate) fn take(&mut self, now: Micros, gap: Duration, up: &Up) {
        // The pace is kept over a late timer, but a time without anything to replay is not made up for. What the first connection
        // after a silence took is, and so is the time of the live ones that went first after it.
        let late = now.since(self.at);
        let kept = late < gap.max(TIMER_LATE) || self.behind == Some(up.troubles);
        if late < gap {
            self.behind = None;
        }
        self.at = if kept { self.at } else { now } + gap;
    }
}
