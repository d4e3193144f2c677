//! The one harness clock.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use model::Micros;
use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::SetOnce, time::Instant};

/// Where the origin is assumed until traffic is armed: so far ahead that everything before it is negative.
const PREPARATION: Duration = Duration::from_secs(3600);

/// CLOCK_MONOTONIC counted from the run's origin, the moment at which traffic is armed. Under a paused tokio runtime it stands still
/// with it, so whole timelines can be played in milliseconds. Clones share the origin.
///
/// Before the origin is known times are negative, and only their order and differences mean something.
#[derive(Clone, Debug)]
pub struct Clock {
    began: Instant,
    origin: Arc<SetOnce<Instant>>,
}

impl Clock {
    /// A clock whose zero is `origin`; it may lie in the future.
    pub fn new(origin: Instant) -> Self {
        let clock = Self { began: origin, origin: Arc::default() };
        clock.arm(origin);
        clock
    }

    /// A clock whose origin is not known yet.
    pub fn unarmed() -> Self {
        Self { began: Instant::now(), origin: Arc::default() }
    }

    /// Sets the origin. The first call counts.
    pub fn arm(&self, origin: Instant) {
        let _first_counts = self.origin.set(origin);
    }

    /// The origin, once it is set.
    pub fn armed(&self) -> Option<Instant> {
        self.origin.get().copied()
    }

    /// Waits until the origin is set.
    pub async fn until_armed(&self) {
        self.origin.wait().await;
    }

    fn origin(&self) -> Instant {
        self.origin.get().copied().unwrap_or(self.began + PREPARATION)
    }

    pub fn now(&self) -> Micros {
        self.stamp(Instant::now())
    }

    /// The harness time of an instant of this machine.
    pub fn stamp(&self, at: Instant) -> Micros {
        let origin = self.origin();
        match at.checked_duration_since(origin) {
            Some(after) => Micros::after(after),
            None => Micros::ZERO - origin.duration_since(at),
        }
    }

    /// The origin as a CLOCK_MONOTONIC reading in nanoseconds, once it is set: what another process of this machine can share.
    pub fn origin_ns(&self) -> Option<u64> {
        let (anchor, anchor_ns) = *ANCHOR;
        let origin = self.armed()?.into_std();
        Some(match origin.checked_duration_since(anchor) {
            Some(after) => anchor_ns.saturating_add(nanos(after)),
            None => anchor_ns.saturating_sub(nanos(anchor.duration_since(origin))),
        })
    }

    /// The harness time of a CLOCK_MONOTONIC reading in nanoseconds, such as the fabric's or another process's.
    pub fn stamp_ns(&self, monotonic_ns: u64) -> Micros {
        let (anchor, anchor_ns) = *ANCHOR;
        let at = match monotonic_ns.checked_sub(anchor_ns) {
            Some(after) => anchor + Duration::from_nanos(after),
            None => anchor - Duration::from_nanos(anchor_ns - monotonic_ns),
        };
        self.stamp(Instant::from_std(at))
    }

    pub fn instant(&self, at: Micros) -> Instant {
        let origin = self.origin();
        match u64::try_from(at.0) {
            Ok(after) => origin + Duration::from_micros(after),
            Err(_) => origin - Duration::from_micros(at.0.unsigned_abs()),
        }
    }

    pub async fn until(&self, at: Micros) {
        tokio::time::sleep_until(self.instant(at)).await;
    }
}

/// One moment as an `Instant`, which does not show its nanoseconds, and as the clock's own reading. It is read once per process, so that
/// the same reading always gives the same stamp.
static ANCHOR: LazyLock<(std::time::Instant, u64)> = LazyLock::new(|| {
    // Of several tries the one with the least time between the two.
    let tries = (0..16).map(|_| {
        let (before, ns, after) =
            (std::time::Instant::now(), monotonic_ns(), std::time::Instant::now());
        (after - before, (before, ns))
    });
    tries.min().expect("it was tried").1
});

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_gives_the_same_stamp_to_a_reading_in_nanoseconds() {
        let clock = Clock::unarmed();
        assert_eq!(clock.origin_ns(), None);
        clock.arm(Instant::now() + Duration::from_secs(5));
        let origin = clock.origin_ns().expect("armed");
        assert_eq!(clock.stamp_ns(origin), Micros::ZERO);
        assert_eq!(clock.stamp_ns(origin + 1_500_000), Micros(1_500));
        assert_eq!(clock.stamp_ns(origin - 7_000), Micros(-7));
    }
}
