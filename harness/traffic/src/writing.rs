//! The thread that writes: rows, latencies and counters are encoded and appended there, so that no disk and no checksum holds up a
//! sending thread.
//!
//! What a sending thread hands over lies in memory until it is written, up to some hundred megabytes. A disk that is slower than the
//! traffic for longer than that holds the sending thread up after all, which its own pulse then tells as a standstill: nothing is lost.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use model::{Micros, Row};
use run::{Count, Histogram, RunError, SenderFiles};

/// Rows that are handed over at once.
const PAGE_ROWS: usize = 4_096;
/// Pages that may wait to be written, about 1 KiB per eight rows.
const PAGES_MAX: usize = 256;

/// A stretch of time, usually a second, of which everything was handed over.
#[derive(Debug)]
pub(crate) struct Stretch {
    pub(crate) from: Micros,
    /// The schedule has been generated up to here.
    pub(crate) until: Micros,
    pub(crate) counts: Vec<Count>,
    /// By tag.
    pub(crate) latencies: Vec<(String, Histogram)>,
}

#[derive(Debug)]
enum Page {
    Rows(Vec<Row>),
    Ends(Stretch),
}

/// A sending thread's end of it.
#[derive(Debug)]
pub(crate) struct Writing {
    rows: Vec<Row>,
    /// The thread ends with it.
    pages: Option<SyncSender<Page>>,
    thread: Option<JoinHandle<Option<RunError>>>,
}

impl Writing {
    /// # Errors
    /// Where no thread can be started.
    pub(crate) fn begin(files: SenderFiles) -> io::Result<Self> {
        let (pages, written) = sync_channel(PAGES_MAX);
        let thread = thread::Builder::new().name("recording".into());
        let thread = thread.spawn(move || write(files, &written))?;
        Ok(Self { rows: Vec::new(), pages: Some(pages), thread: Some(thread) })
    }

    pub(crate) fn row(&mut self, row: Row) {
        if self.rows.is_empty() {
            self.rows.reserve_exact(PAGE_ROWS);
        }
        self.rows.push(row);
        if self.rows.len() == PAGE_ROWS {
            self.hand_over_rows();
        }
    }

    pub(crate) fn ends(&mut self, stretch: Stretch) {
        self.hand_over_rows();
        self.hand_over(Page::Ends(stretch));
    }

    fn hand_over_rows(&mut self) {
        if !self.rows.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            self.hand_over(Page::Rows(rows));
        }
    }

    fn hand_over(&self, page: Page) {
        if let Some(pages) = &self.pages {
            // Where nobody takes pages any more the thread has panicked, and `finish` says so.
            let _nobody = pages.send(page);
        }
    }

    /// Waits until everything is written. The first thing that went wrong; what came after it is its consequence.
    pub(crate) fn finish(&mut self) -> Option<String> {
        self.hand_over_rows();
        self.pages = None;
        match self.thread.take()?.join() {
            Ok(trouble) => trouble.map(|error| match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }),
            Err(_printed) => Some("the writing thread has ended".to_owned()),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Whoever drops it unfinished wants no answer.
        let _unheard = self.finish();
    }
}

fn write(mut files: SenderFiles, pages: &Receiver<Page>) -> Option<RunError> {
    let mut trouble = None;
    for page in pages {
        if let Err(error) = write_page(&mut files, page) {
            trouble.get_or_insert(error);
        }
    }
    trouble
}

/// Everything is tried, whatever failed before it.
fn write_page(files: &mut SenderFiles, page: Page) -> Result<(), RunError> {
    match page {
        Page::Rows(rows) => {
            rows.into_iter().map(|row| files.ledger.push(row)).fold(Ok(()), Result::and)
        }
        Page::Ends(Stretch { from, until, counts, latencies }) => {
            let length: Duration = until.since(from);
            let mut written = Ok(());
            for (tag, histogram) in latencies {
                written = written.and(files.latency.append(&tag, from, length, &histogram));
            }
            written = written.and(files.counts.append(&counts));
            written.and(files.ledger.cut(until))
        }
    }
}
