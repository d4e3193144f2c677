//! How the parts of the lab tell what they saw.

use std::time::{Duration, Instant};

use model::Micros;
use rustix::time::{ClockId, clock_gettime};
use seams::{Clock, Seen, Sight};
use tokio::sync::mpsc;

use crate::flight::Heard;

#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub clock: Clock,
    seen: mpsc::UnboundedSender<Seen>,
    /// Who writes packets around effects; nobody where none are wanted.
    flight: Option<mpsc::UnboundedSender<Heard>>,
    /// One moment on both clocks, read once, so that the same reading always gives the same stamp.
    anchor: (Instant, u64),
}

impl Voice {
    pub(crate) fn new(
        clock: Clock,
        seen: mpsc::UnboundedSender<Seen>,
        flight: Option<mpsc::UnboundedSender<Heard>>,
    ) -> Self {
        Self { clock, seen, flight, anchor: (Instant::now(), monotonic_ns()) }
    }

    pub(crate) fn say(&self, what: Sight) {
        self.say_at(self.clock.now(), what);
    }

    pub(crate) fn say_at(&self, at: Micros, what: Sight) {
        self.tell_flight(|| Heard::of(&what));
        // Whoever stopped listening has closed the run's journal.
        let _ = self.seen.send(Seen { at, what });
    }

    /// The origin of the run as a CLOCK_MONOTONIC reading in nanoseconds; None before traffic is armed.
    pub(crate) fn origin_ns(&self) -> Option<u64> {
        let (anchor, anchor_ns) = self.anchor;
        let origin = self.clock.armed()?.into_std();
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Some(match origin.checked_duration_since(anchor) {
            Some(after) => anchor_ns.saturating_add(nanos(after)),
            None => anchor_ns.saturating_sub(nanos(anchor.duration_since(origin))),
        })
    }

    /// Another world is wanted from now on.
    pub(crate) fn turn(&self, revision: u64) {
        self.tell_flight(|| Some(Heard::Turn { revision, at: self.clock.now() }));
    }

    fn tell_flight(&self, news: impl FnOnce() -> Option<Heard>) {
        if let Some((flight, news)) =
            self.flight.as_ref().and_then(|flight| Some((flight, news()?)))
        {
            // It ends with the lab, and then there is nothing more to write.
            let _ = flight.send(news);
        }
    }

    /// The harness time of a CLOCK_MONOTONIC reading in nanoseconds, such as the fabric's.
    pub(crate) fn stamp(&self, monotonic_ns: u64) -> Micros {
        let (anchor, anchor_ns) = self.anchor;
        self.clock.stamp_std(anchor + Duration::from_nanos(monotonic_ns.saturating_sub(anchor_ns)))
    }
}

/// What `Instant` reads too, but does not show.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
