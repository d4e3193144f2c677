//! When a server does not answer, as one whose disk or garbage collector stands still.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// For `length` at the end of each `every`, counted from the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stall {
    began: Instant,
    length: Duration,
    every: Duration,
}

impl Stall {
    /// None where the stall would never end.
    pub(super) fn new(length: Duration, every: Duration) -> Option<Self> {
        let ends = length < every;
        ends.then(|| Self { began: Instant::now(), length, every })
    }

    /// The end of the stall, if there is one now.
    fn ends(&self, now: Instant) -> Option<Instant> {
        let gone = (now - self.began).as_nanos() % self.every.as_nanos();
        let gone = Duration::from_nanos(u64::try_from(gone).unwrap_or(u64::MAX));
        (gone >= self.every - self.length).then(|| now + (self.every - gone))
    }

    /// Everything that waits goes on at the same moment.
    pub(super) async fn over(&self) {
        if let Some(end) = self.ends(Instant::now()) {
            sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stalls_at_the_end_of_each_period() {
        let ms = Duration::from_millis;
        let stall = Stall::new(ms(100), ms(1000)).expect("it ends");
        let ends =
            |at: u64| stall.ends(stall.began + ms(at)).map(|end| (end - stall.began).as_millis());
        let told = [0, 899, 900, 999, 1000, 2950].map(ends);
        assert_eq!(told, [None, None, Some(1000), Some(1000), None, Some(3000)]);
        assert!(Stall::new(ms(1000), ms(1000)).is_none());
    }
}
