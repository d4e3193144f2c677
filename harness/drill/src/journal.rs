//! The one writer of events. Whoever wants to see events while they happen is a [`Listener`].

use std::{fmt, future::pending, sync::Arc};

use model::{Event, Micros};
use run::RunError;
use seams::Clock;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::DrillError;

/// Sees a run while it goes on: a terminal, a test, nobody (`()`).
pub trait Listener: Send + Sync {
    /// In the order of the journal, after it was written.
    fn event(&self, at: Micros, event: &Event) {
        let _ = (at, event);
    }

    /// Words for a person; not part of the record.
    fn note(&self, words: &str) {
        let _ = words;
    }
}

impl Listener for () {}

/// The journal of a run: a task that numbers events in the order in which they arrive, and writes them.
#[derive(Debug)]
pub struct Journal {
    sink: EventSink,
    /// None once its end has been told.
    writing: Option<JoinHandle<Result<(), RunError>>>,
}

/// Everybody's way to the journal.
#[derive(Clone)]
pub(crate) struct EventSink {
    clock: Clock,
    to: mpsc::UnboundedSender<(Micros, Event)>,
    listener: Arc<dyn Listener>,
}

impl Journal {
    /// Goes on in the folder's journal. Needs a tokio runtime.
    pub fn open(
        folder: &run::Folder,
        clock: Clock,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, RunError> {
        let file = folder.journal()?;
        let (to, mut from) = mpsc::unbounded_channel();
        let shown = listener.clone();
        let writing = tokio::spawn(async move {
            while let Some((at, event)) = from.recv().await {
                let record = file.append(at, event)?;
                shown.event(at, &record.event);
            }
            Ok(())
        });
        Ok(Self { sink: EventSink { clock, to, listener }, writing: Some(writing) })
    }

    pub(crate) fn sink(&self) -> EventSink {
        self.sink.clone()
    }

    /// Comes back only where an event could not be written: from then on nothing is recorded.
    pub(crate) async fn failed(&mut self) -> DrillError {
        match ended(&mut self.writing).await {
            Err(error) => error,
            // It goes on as long as this sink is there.
            Ok(()) => pending().await,
        }
    }

    /// Waits until every other sink is gone and everything is written.
    pub(crate) async fn close(self) -> Result<(), DrillError> {
        let Self { sink, mut writing } = self;
        drop(sink);
        ended(&mut writing).await
    }
}

async fn ended(writing: &mut Option<JoinHandle<Result<(), RunError>>>) -> Result<(), DrillError> {
    let Some(task) = writing else { return Ok(()) };
    let ended = task.await;
    *writing = None;
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(DrillError::Journal(error.into())),
        Err(panicked) => Err(DrillError::Journal(panicked.into())),
    }
}

impl EventSink {
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// For rooms that write events of their own.
    pub(crate) fn sender(&self) -> mpsc::UnboundedSender<(Micros, Event)> {
        self.to.clone()
    }

    pub(crate) fn record(&self, at: Micros, event: Event) {
        // The writer is gone only after a failure to write, which ends the run by itself.
        let _writer_gone = self.to.send((at, event));
    }

    pub(crate) fn now(&self, event: Event) {
        self.record(self.clock.now(), event);
    }

    pub(crate) fn note(&self, words: &str) {
        self.listener.note(words);
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSink").field("clock", &self.clock).finish_non_exhaustive()
    }
}
