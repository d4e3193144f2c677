//! The null disk: a small file beside the data of the servers, which no server uses and no fault aims at. How long it takes to become
//! durable is this machine's disk, which all nodes share here as they never do in production.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use model::{LabEvent, Micros, event::Health};

use crate::{events::LabEvents, lock::lock};

/// Between two writes, from the end of one to the beginning of the next.
const EVERY: Duration = Duration::from_millis(100);
/// Shorter ones are in the percentiles only; whoever judges decides which of the others matter.
const TOLD_FROM: Duration = Duration::from_millis(100);
/// Longer ones count as this long.
const LONGEST: Duration = Duration::from_secs(600);
/// A block of most file systems.
const BLOCK: [u8; 4096] = [0; 4096];

/// Dropped to end it, which waits for the write under way.
#[derive(Debug)]
pub(crate) struct NullDisk {
    tally: Arc<Mutex<Tally>>,
    /// The thread looks at its other end.
    open: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl NullDisk {
    /// In the file system of `folder`, by a file without a name: nothing of it is left however the harness ends.
    pub(crate) fn open(folder: &Path, events: LabEvents) -> io::Result<Self> {
        let tally = Arc::new(Mutex::new(Tally::new()));
        let (open, closing) = mpsc::channel();
        let file = tempfile::tempfile_in(folder)?;
        let prober = Prober { file, tally: tally.clone(), events, closing };
        let thread =
            thread::Builder::new().name("null disk".into()).spawn(move || prober.live())?;
        Ok(Self { tally, open: Some(open), thread: Some(thread) })
    }

    pub(crate) fn tally(&self) -> Arc<Mutex<Tally>> {
        self.tally.clone()
    }
}

impl Drop for NullDisk {
    fn drop(&mut self) {
        self.open = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it was printed when it happened.
            let _ = thread.join();
        }
    }
}

/// How long the writes took.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Until durable, in microseconds.
    writes: Histogram<u64>,
    /// Since when the write under way is waited for.
    waiting: Option<Instant>,
    /// Why it ended before the lab did.
    trouble: Option<String>,
}

impl Tally {
    fn new() -> Self {
        let writes = Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3)
            .expect("the bounds are in order");
        Self { writes, waiting: None, trouble: None }
    }

    /// Forgets what it has seen.
    pub(crate) fn begin(&mut self) {
        self.writes.reset();
    }

    fn written(&mut self, took: Duration) {
        self.waiting = None;
        self.writes.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Puts its figures down; a write that is still waited for is one that took as long as it has waited.
    pub(crate) fn report(&self, now: Instant, health: &mut Health) {
        let mut writes = self.writes.clone();
        let waited = self.waiting.map(|since| now.saturating_duration_since(since));
        if let Some(waited) = waited.filter(|waited| *waited >= TOLD_FROM) {
            writes.saturating_record(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        }
        health.null_disk_count = writes.len();
        health.null_disk_p50_us = writes.value_at_quantile(0.5);
        health.null_disk_p99_us = writes.value_at_quantile(0.99);
        health.null_disk_max_us = writes.max();
        health.degraded.extend(
            self.trouble
                .iter()
                .map(|why| format!("The machine's disk was not watched to the end: {why}.")),
        );
    }
}

#[derive(Debug)]
struct Prober {
    file: File,
    tally: Arc<Mutex<Tally>>,
    events: LabEvents,
    closing: Receiver<()>,
}

impl Prober {
    fn live(self) {
        while self.closing.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = self.write() {
                lock(&self.tally).trouble = Some(error.to_string());
                return;
            }
        }
    }

    fn write(&self) -> io::Result<()> {
        let since = Instant::now();
        lock(&self.tally).waiting = Some(since);
        self.file.write_all_at(&BLOCK, 0)?;
        // The file's times change with it, so that a journal of the file system is waited for, too, as it is by a growing log.
        self.file.sync_all()?;
        let took = since.elapsed();
        lock(&self.tally).written(took);
        if took >= TOLD_FROM {
            // The run's clock may have been armed meanwhile, which moves its origin: the length is the write's own.
            let to = self.events.clock.now();
            let from = Micros(to.0 - i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
            self.events.publish(LabEvent::DiskStalled { from, to });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_never_ends_is_not_forgotten() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut tally = Tally::new();
        let figures = |tally: &Tally, at| {
            let mut health = Health::default();
            tally.report(at, &mut health);
            (health.null_disk_count, health.null_disk_max_us / 1_000)
        };
        tally.written(ms(2));
        tally.waiting = Some(start);
        assert_eq!(figures(&tally, start + ms(1)), (1, 2), "it may be a short one");
        assert_eq!(figures(&tally, start + ms(3_000)), (2, 3_000));
        tally.begin();
        assert_eq!(figures(&tally, start + ms(3_000)), (1, 3_000), "of the time before");
        tally.written(ms(4_000));
        assert_eq!(figures(&tally, start + ms(4_001)), (1, 4_001));
    }
}
