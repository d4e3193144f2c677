//! Planned silence: when the assets of a cell can be reached, and what changes for them at its edges.
//!
//! Loss of signal is silence, not a closed connection: an asset forgets its session without a word, and the other side finds out by
//! itself. An asset knows its passes: out of contact it tries nothing and records, and it connects at once when contact begins.
//! What it recorded in silence is ready when the model allows sending it: the first reading at acquisition of signal, each further one
//! a step of the replay's pace later. What was under way or waited for a place at loss of signal is replayed too and takes a step each, but
//! was ready before. What is generated while that first connection is made is live, and goes before the replay; only with
//! `ReplayOrder::OldestFirst` it waits behind what silence recorded, ready since it was generated: that wait is the price of the order.
//! Trouble of the platform moves none of that: what it left takes no step.

use std::time::Duration;

use model::{CellId, Micros, Plan};
use seams::Leave;

use crate::{asset::Link, fleet::Fleet, ledger::Record, timers::Timer};

/// When the assets of a cell are in contact.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    /// Half open, in order, never touching.
    spans: Vec<(Micros, Micros)>,
    /// The end of the plan: nothing is sent then or later.
    end: Micros,
}

impl Contact {
    /// Always, for a cell without slots that are down.
    pub(crate) fn of(plan: &Plan, cell: Option<&CellId>) -> Self {
        let end = plan.latest_end();
        let cell = cell.and_then(|name| plan.topology.cells.get(name));
        let spans =
            cell.map_or_else(|| vec![(Duration::ZERO, end)], |cell| cell.track.contacts(end));
        let spans =
            spans.into_iter().map(|(aos, los)| (Micros::after(aos), Micros::after(los))).collect();
        Self { spans, end: Micros::after(end) }
    }

    /// The first moment in contact from `t` on; the end of the plan where there is none.
    pub(crate) fn from(&self, t: Micros) -> Micros {
        let next = self.spans.partition_point(|(_, los)| *los <= t);
        self.spans.get(next).map_or(self.end, |(aos, _)| t.max(*aos))
    }

    pub(crate) fn holds(&self, t: Micros) -> bool {
        self.from(t) == t
    }

    /// No contact from `t` on.
    pub(crate) fn is_over(&self, t: Micros) -> bool {
        self.from(t) >= self.end
    }

    /// When the silence before the contact at `t` began.
    fn silent_since(&self, t: Micros) -> Micros {
        let before = self.spans.iter().rev().find(|(_, los)| *los <= t);
        before.map_or(Micros::ZERO, |(_, los)| *los)
    }

    /// When the contact at `t` ends.
    fn until(&self, t: Micros) -> Micros {
        self.spans.iter().find(|(_, los)| *los > t).map_or(self.end, |(_, los)| *los)
    }

    /// Acquisitions (true) and losses of signal during the run.
    fn edges(&self) -> impl Iterator<Item = (Micros, bool)> + '_ {
        let all = self.spans.iter().flat_map(|(aos, los)| [(*aos, true), (*los, false)]);
        all.filter(|(at, _)| *at > Micros::ZERO && *at < self.end)
    }
}

impl Fleet {
    /// Sets the timers of every edge. They come before all others: at an edge, the new state holds.
    pub(crate) fn watch_contacts(&mut self) {
        for (contact, cohort) in self.contacts.iter().zip(0..) {
            for (at, acquired) in contact.edges() {
                self.timers.set(
                    at,
                    if acquired { Timer::Acquired { cohort } } else { Timer::Lost { cohort } },
                );
            }
        }
    }

    /// Loss of signal. What was under way may have arrived; nobody concludes anything about the region.
    pub(crate) fn signal_lost(&mut self, cohort: u16, record: &mut Record) {
        for asset in self.members(cohort) {
            self.disconnect(asset, Leave::Silent, record);
            // Also one that was waiting to connect: its timers are void.
            let state = &mut self.assets[asset as usize];
            state.turn(Link::Off);
            state.acquired = None;
        }
    }

    /// Acquisition of signal, which an asset has waited for: it connects without a backoff.
    pub(crate) fn signal_acquired(&mut self, cohort: u16, at: Micros) {
        let contact = &self.contacts[usize::from(cohort)];
        let (since, until, never) = (contact.silent_since(at), contact.until(at), contact.end);
        for asset in self.members(cohort) {
            let state = &mut self.assets[asset as usize];
            let moments = (0..).map(|turn: u32| {
                self.replay_gap.map_or(never, |gap| at + gap.saturating_mul(turn))
            });
            state.store.pace(since, until, self.plan.recorder.order, moments);
            (state.tries, state.acquired) = (0, Some(at));
            state.turn(Link::Off);
            self.timers.set(at, Timer::Connect { asset, epoch: state.epoch });
        }
    }

    /// Readings without a final outcome on assets that will not be in contact any more.
    pub(crate) fn out_of_reach(&self, now: Micros) -> u64 {
        let over =
            self.contacts.iter().zip(&self.cohorts).filter(|(contact, _)| contact.is_over(now));
        over.map(|(_, cohort)| cohort.backlog).sum()
    }

    fn members(&self, cohort: u16) -> std::ops::Range<u32> {
        let first = self.assets.partition_point(|asset| asset.cohort < cohort) as u32;
        first..self.assets.partition_point(|asset| asset.cohort <= cohort) as u32
    }
}
