//! How the parts of the lab tell what they saw.

use std::time::{Duration, Instant};

use model::Micros;
use rustix::time::{ClockId, clock_gettime};
use seams::{Clock, Seen, Sight};
use tokio::sync::mpsc;

#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub clock: Clock,
    pub seen: mpsc::UnboundedSender<Seen>,
}

impl Voice {
    pub(crate) fn say(&self, what: Sight) {
        self.say_at(self.clock.now(), what);
    }

    pub(crate) fn say_at(&self, at: Micros, what: Sight) {
        // Whoever stopped listening has closed the run's journal.
        let _ = self.seen.send(Seen { at, what });
    }

    /// The harness time of a CLOCK_MONOTONIC reading in nanoseconds, such as the fabric's.
    pub(crate) fn stamp(&self, monotonic_ns: u64) -> Micros {
        let now = clock_gettime(ClockId::Monotonic);
        let now_ns = u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0);
        let ago = Duration::from_nanos(now_ns.saturating_sub(monotonic_ns));
        self.clock.stamp_std(Instant::now().checked_sub(ago).unwrap_or_else(Instant::now))
    }
}
