//! The one harness clock.

use std::{sync::Arc, time::Duration};

use model::Micros;
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

    /// The harness time of a CLOCK_MONOTONIC reading of a plain thread.
    pub fn stamp_std(&self, at: std::time::Instant) -> Micros {
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
