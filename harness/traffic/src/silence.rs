//! Planned silence: what changes for the assets of a cell when its contact ends, and when it begins.
//!
//! Loss of signal is silence, not a closed connection: an asset forgets its session without a word, and the other side finds out by
//! itself. An asset knows its passes: out of contact it tries nothing and records, and it connects at once when contact begins.
//! What it recorded in silence is ready when the model allows sending it: the first reading at acquisition of signal, each further one
//! a step of the replay's pace later. What was under way or waited for a place at loss of signal is replayed too and takes a step each, but
//! was ready before. What is generated while that first connection is made is live, and goes before the replay; only with
//! `ReplayOrder::OldestFirst` it waits behind what silence recorded, ready since it was generated: that wait is the price of the order.
//! Trouble of the platform moves none of that: what it left takes no step.

use model::{FleetState, Micros};

use crate::{connection::Event, fleet::Fleet, recording::Record, timers::Timer};

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
    pub(crate) fn signal_lost(&mut self, cohort: u16, at: Micros, record: &mut Record) {
        for asset in self.members(cohort) {
            self.happens(asset, Event::SignalLost, at, record);
        }
    }

    /// Acquisition of signal, which an asset has waited for: it connects without a backoff.
    pub(crate) fn signal_acquired(&mut self, cohort: u16, at: Micros, record: &mut Record) {
        let contact = &self.contacts[usize::from(cohort)];
        let (since, until, never) = (contact.silent_since(at), contact.until(at), contact.end);
        for asset in self.members(cohort) {
            let moments = (0..).map(|turn: u32| {
                self.replay_gap.map_or(never, |gap| at + gap.saturating_mul(turn))
            });
            let recorder = &mut self.assets[asset as usize].recorder;
            recorder.pace(since, until, self.plan.recorder.order, moments);
            // Who is kept away comes when that ends.
            if self.states[usize::from(cohort)] == FleetState::Online {
                self.happens(asset, Event::SignalAcquired, at, record);
            }
        }
    }

    /// Readings without a final outcome on assets that will not be in contact any more.
    pub(crate) fn out_of_reach(&self, now: Micros) -> u64 {
        let over =
            self.contacts.iter().zip(&self.cohorts).filter(|(contact, _)| contact.is_over(now));
        over.map(|(_, cohort)| cohort.backlog).sum()
    }

    pub(crate) fn members(&self, cohort: u16) -> std::ops::Range<u32> {
        let first = self.assets.partition_point(|asset| asset.cohort < cohort) as u32;
        first..self.assets.partition_point(|asset| asset.cohort <= cohort) as u32
    }
}
