//! The one harness clock.

use std::time::Duration;

use model::Micros;
use tokio::time::Instant;

/// CLOCK_MONOTONIC counted from the run's origin. Under a paused tokio runtime it stands still with it, so whole timelines can be
/// played in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose zero is `origin`; it may lie in the future.
    pub fn new(origin: Instant) -> Self {
        Self { origin }
    }

    pub fn now(&self) -> Micros {
        self.stamp(Instant::now())
    }

    /// The harness time of an instant of this machine.
    pub fn stamp(&self, at: Instant) -> Micros {
        match at.checked_duration_since(self.origin) {
            Some(after) => Micros::after(after),
            None => Micros::ZERO - self.origin.duration_since(at),
        }
    }

    /// The harness time of a CLOCK_MONOTONIC reading of a plain thread.
    pub fn stamp_std(&self, at: std::time::Instant) -> Micros {
        self.stamp(Instant::from_std(at))
    }

    pub fn instant(&self, at: Micros) -> Instant {
        match u64::try_from(at.0) {
            Ok(after) => self.origin + Duration::from_micros(after),
            Err(_) => self.origin - Duration::from_micros(at.0.unsigned_abs()),
        }
    }

    pub async fn until(&self, at: Micros) {
        tokio::time::sleep_until(self.instant(at)).await;
    }
}
