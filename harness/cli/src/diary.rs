//! The one writer of events, and the lines that a person sees while they happen.

use std::sync::Arc;

use model::{Event, Micros};
use seams::Clock;
use tokio::sync::mpsc;

use crate::progress::Progress;

/// Everybody's way to the journal. Events are numbered in the order in which they arrive here.
#[derive(Clone, Debug)]
pub(crate) struct Diary {
    clock: Clock,
    to: mpsc::UnboundedSender<(Micros, Event)>,
    progress: Arc<Progress>,
}

/// The task behind it; it ends when every [`Diary`] is gone.
pub(crate) type Writing = tokio::task::JoinHandle<Result<(), run::RunError>>;

impl Diary {
    pub(crate) fn open(
        folder: &run::Folder,
        clock: Clock,
        progress: Progress,
    ) -> Result<(Self, Writing), run::RunError> {
        let journal = folder.journal()?;
        let (to, mut from) = mpsc::unbounded_channel();
        let progress = Arc::new(progress);
        let shown = progress.clone();
        let writing = tokio::spawn(async move {
            while let Some((at, event)) = from.recv().await {
                shown.event(at, &event);
                journal.append(at, event)?;
            }
            Ok(())
        });
        Ok((Self { clock, to, progress }, writing))
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// For rooms that write events of their own.
    pub(crate) fn sender(&self) -> mpsc::UnboundedSender<(Micros, Event)> {
        self.to.clone()
    }

    pub(crate) fn tell(&self, at: Micros, event: Event) {
        // The writer is gone only after a failure to write, which ends the run by itself.
        let _writer_gone = self.to.send((at, event));
    }

    pub(crate) fn now(&self, event: Event) {
        self.tell(self.clock.now(), event);
    }

    /// Words for the person at the terminal; not part of the record.
    pub(crate) fn note(&self, words: String) {
        self.progress.line(&words);
    }
}
