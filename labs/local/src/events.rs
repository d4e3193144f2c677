//! How the parts of the lab tell what they saw.

use model::{LabEvent, Micros, Stamped};
use seams::Clock;
use tokio::sync::mpsc;

use crate::flight::Heard;

#[derive(Clone, Debug)]
pub(crate) struct LabEvents {
    pub clock: Clock,
    seen: mpsc::UnboundedSender<Stamped>,
    /// Who writes packets around effects; nobody where none are wanted.
    flight: Option<mpsc::UnboundedSender<Heard>>,
}

impl LabEvents {
    pub(crate) fn new(
        clock: Clock,
        seen: mpsc::UnboundedSender<Stamped>,
        flight: Option<mpsc::UnboundedSender<Heard>>,
    ) -> Self {
        Self { clock, seen, flight }
    }

    pub(crate) fn publish(&self, what: LabEvent) {
        self.publish_at(self.clock.now(), what);
    }

    pub(crate) fn publish_at(&self, at: Micros, what: LabEvent) {
        self.tell_flight_recorder(|| Heard::of(&what));
        // Whoever stopped listening has closed the run's journal.
        let _ = self.seen.send(Stamped { at, what });
    }

    /// Another world is wanted from now on.
    pub(crate) fn turn(&self, revision: u64) {
        self.tell_flight_recorder(|| Some(Heard::Turn { revision, at: self.clock.now() }));
    }

    fn tell_flight_recorder(&self, news: impl FnOnce() -> Option<Heard>) {
        if let Some((flight, news)) =
            self.flight.as_ref().and_then(|flight| Some((flight, news()?)))
        {
            // It ends with the lab, and then there is nothing more to write.
            let _ = flight.send(news);
        }
    }
}
