//! Planned silence: what changes for the assets of a cell when its contact ends, and when it begins.
//!
//! Loss of signal is silence, not a closed connection: an asset forgets its session without a word, and the other side finds out by
//! itself. An asset knows its passes: out of contact it tries nothing and records, and it connects at once when contact begins.
//! What it recorded in silence is ready when the model allows sending it: the first reading at acquisition of signal, each further one
//! a step of the replay's pace later. What was under way or waited for a place at loss of signal is replayed too and takes a step each, but
//! was ready before. What is generated while that first connection is made is live, and goes before the replay; only with
//! `ReplayOrder::OldestFirst` it waits behind what silence recorded, ready since it was generated: that wait is the price of the order.
//! Trouble of the platform moves none of that: what it left takes no step.

use std::ops::Range;

use model::{FleetState, Micros};

use crate::{connection::Event, fleet::Fleet, recording::Record};

impl Fleet {
    /// Loss of signal. What was under way may have arrived; nobody concludes anything about the region.
    pub(crate) fn signal_lost(&mut self, cohort: u16, at: Micros, record: &mut Record) {
        for conn in self.carriers_of(cohort) {
            self.happens(conn, Event::SignalLost, at, record);
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
            recorder.silence_ends(since, until, self.plan.recorder.order, moments);
        }
        // Who is kept away comes when that ends.
        if self.states[usize::from(cohort)] == FleetState::Online {
            for conn in self.carriers_of(cohort) {
                self.happens(conn, Event::SignalAcquired, at, record);
            }
        }
    }

    /// Readings without a final outcome on assets that will not be in contact any more.
    pub(crate) fn out_of_reach(&self, now: Micros) -> u64 {
        let over =
            self.contacts.iter().zip(&self.cohorts).filter(|(contact, _)| contact.is_over(now));
        over.map(|(_, cohort)| cohort.backlog).sum()
    }

    /// The connections of the assets of a home.
    pub(crate) fn carriers_of(&self, cohort: u16) -> Range<u32> {
        let first = self.carriers.partition_point(|carrier| carrier.cohort < cohort) as u32;
        first..self.carriers.partition_point(|carrier| carrier.cohort <= cohort) as u32
    }

    /// The assets of a home.
    fn members(&self, cohort: u16) -> Range<u32> {
        let Range { start, end } = self.carriers_of(cohort);
        let carriers = &self.carriers[start as usize..end as usize];
        match (carriers.first(), carriers.last()) {
            (Some(first), Some(last)) => first.assets.start..last.assets.end,
            _ => 0..0,
        }
    }
}
