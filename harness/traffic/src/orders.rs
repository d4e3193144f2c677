//! What the wanted world asks of the assets of a cell, all at once.
//!
//! *Disconnected*: each asset closes its connection and stays away; let back, all of them connect again as their backoff spreads them.
//! *Silent*: each asset falls silent without a word, as at a loss of signal, and connects at once when it is let back. Neither is in
//! anybody's plan: the moment at which a reading is ready does not move, and waiting counts.

use model::{CellId, Conditions, FleetState, LabEvent, Lever, Micros, Stamped, event::Place};
use seams::Disconnect;
use tokio::sync::mpsc;

use crate::{connection::Event, fleet::Fleet, recording::Record};

impl Fleet {
    /// Moves every home's assets to what is wanted of its cell, from wherever they are.
    pub(crate) fn obey(
        &mut self,
        wanted: &Conditions,
        now: Micros,
        seen: &mpsc::UnboundedSender<Stamped>,
        record: &mut Record,
    ) {
        let plan = &self.plan;
        let cells: Vec<Option<CellId>> =
            plan.home.keys().map(|home| plan.cells.get(home).cloned()).collect();
        for (cohort, cell) in (0..).zip(cells) {
            let Some(cell) = cell else { continue };
            let state = wanted.fleet(&cell);
            let before = std::mem::replace(&mut self.states[usize::from(cohort)], state);
            if before == state {
                continue;
            }
            let hit = self.moves(cohort, before, now, record);
            if let Some(lever) = state.lever().filter(|_| hit > 0) {
                say(seen, lever, cell, hit, now);
            }
        }
    }

    /// How many assets had a connection that they lost by it.
    fn moves(&mut self, cohort: u16, before: FleetState, now: Micros, record: &mut Record) -> u64 {
        let event = match self.states[usize::from(cohort)] {
            FleetState::Disconnected => Event::SentAway(Disconnect::Close),
            FleetState::Silent => Event::SentAway(Disconnect::Silent),
            FleetState::Online => Event::LetBack { at_once: before == FleetState::Silent },
        };
        // Out of contact nobody can come back; acquisition of signal brings them.
        if matches!(event, Event::LetBack { .. })
            && !self.contacts[usize::from(cohort)].holds(now.max(Micros::ZERO))
        {
            return 0;
        }
        let mut hit = 0;
        for conn in self.carriers_of(cohort) {
            let carrier = &self.carriers[conn as usize];
            if carrier.connection.stands() {
                hit += carrier.assets.len() as u64;
            }
            self.happens(conn, event, now, record);
        }
        hit
    }
}

/// The proof: assets, the connection of each of which stood.
fn say(seen: &mpsc::UnboundedSender<Stamped>, lever: Lever, cell: CellId, count: u64, now: Micros) {
    let at = Place::Cell(cell);
    let what = LabEvent::Hit { lever, at, count, first: now, established: count };
    // Whoever stopped listening has closed the run's journal.
    let _nobody_listens = seen.send(Stamped { at: now, what });
}
