//! How attempts and readings end: answers, deadlines, lost connections, a full recorder, the end of the run.

use model::{Micros, NodeId, Outcome, ledger::Fate, plan::Ack};

use seams::Leave;

use crate::{
    fleet::{Fleet, Flight},
    ledger::{End, Record},
    store::Reading,
};

impl Fleet {
    /// Takes an attempt out of the air.
    pub(crate) fn land(&mut self, ticket: u64) -> Option<Flight> {
        let flight = self.flights.remove(&ticket)?;
        self.assets[flight.asset as usize].tickets.retain(|other| *other != ticket);
        Some(flight)
    }

    pub(crate) fn sent(&mut self, ticket: u64, at: Micros, now: Micros, record: &mut Record) {
        let Some(flight) = self.flights.get_mut(&ticket) else { return };
        if let Some(last) = flight.reading.attempts.last_mut() {
            last.sent = last.sent.max(at);
        }
        if self.plan.streams[usize::from(flight.reading.stream)].ack == Ack::None
            && let Some(flight) = self.land(ticket)
        {
            self.lane.abandon(ticket);
            let asset = flight.asset;
            self.finish(asset, flight.reading, End::of(Fate::Unknown), record);
            self.pump(asset, now);
            self.leave_if_answered(asset, now, record);
        }
    }

    pub(crate) fn acked(
        &mut self,
        flight: Flight,
        at: Micros,
        by: Option<NodeId>,
        position: Option<u64>,
        record: &mut Record,
    ) {
        let Flight { asset, reading, .. } = flight;
        let state = &mut self.assets[asset as usize];
        (state.failures, state.troubled) = (0, false);
        let cohort = &mut self.cohorts[usize::from(state.cohort)];
        cohort.acked += 1;
        record.acked += 1;
        if self.plan.streams[usize::from(reading.stream)].ack == Ack::Required {
            cohort.latency(at.since(reading.ready));
        }
        self.finish(
            asset,
            reading,
            End { fate: Fate::Acked, acked: Some(at), position, by },
            record,
        );
    }

    /// The attempt was refused, or nobody knows.
    pub(crate) fn in_vain(&mut self, flight: Flight, outcome: Outcome, record: &mut Record) {
        let Flight { asset, mut reading, .. } = flight;
        let cohort = &mut self.cohorts[usize::from(self.assets[asset as usize].cohort)];
        let fate = match outcome {
            Outcome::Refused => {
                cohort.refused += 1;
                reading.refused = true;
                Fate::Refused
            }
            Outcome::Acked | Outcome::Unknown => {
                cohort.unknown += 1;
                reading.unsure = true;
                Fate::Unknown
            }
        };
        if self.plan.streams[usize::from(reading.stream)].ack == Ack::Required {
            self.assets[asset as usize].store.push_stored(reading);
        } else {
            self.finish(asset, reading, End::of(fate), record);
        }
    }

    pub(crate) fn overdue(&mut self, ticket: u64, now: Micros, record: &mut Record) {
        let Some(flight) = self.land(ticket) else { return };
        self.lane.abandon(ticket);
        let asset = flight.asset;
        self.in_vain(flight, Outcome::Unknown, record);
        self.failed(asset, now, record);
        self.pump(asset, now);
        self.leave_if_answered(asset, now, record);
    }

    /// Ends every attempt of an asset whose connection is gone. What the lane never took was not an attempt.
    /// `cut`: only loss of signal is to blame.
    pub(crate) fn recall(&mut self, asset: u32, cut: bool, record: &mut Record) {
        for ticket in std::mem::take(&mut self.assets[asset as usize].tickets) {
            let Some(mut flight) = self.flights.remove(&ticket) else { continue };
            flight.reading.cut = cut;
            if flight.handed {
                self.lane.abandon(ticket);
                self.in_vain(flight, Outcome::Unknown, record);
            } else {
                self.batch.retain(|outgoing| outgoing.ticket != ticket);
                self.assets[asset as usize].store.push_stored(flight.reading);
            }
        }
        self.assets[asset as usize].store.shelve(cut);
    }

    pub(crate) fn drop_reading(&mut self, asset: u32, reading: Reading, record: &mut Record) {
        let cohort = &mut self.cohorts[usize::from(self.assets[asset as usize].cohort)];
        cohort.backlog -= 1;
        record.undecided -= 1;
        let fate = if reading.unsure {
            Fate::Unknown
        } else {
            cohort.dropped += 1;
            Fate::Dropped
        };
        record.row(self.plan.first + asset, reading, End::of(fate));
    }

    fn finish(&mut self, asset: u32, reading: Reading, end: End, record: &mut Record) {
        let state = &mut self.assets[asset as usize];
        state.store.settled(&reading);
        self.cohorts[usize::from(state.cohort)].backlog -= 1;
        record.undecided -= 1;
        record.row(self.plan.first + asset, reading, end);
    }

    /// The run is over: every reading that is left gets its row, and every asset goes.
    pub(crate) fn end(&mut self, record: &mut Record) {
        for asset in 0..self.assets.len() as u32 {
            let mut left: Vec<Reading> = Vec::new();
            for ticket in std::mem::take(&mut self.assets[asset as usize].tickets) {
                let Some(mut flight) = self.flights.remove(&ticket) else { continue };
                flight.reading.unsure |= flight.handed;
                left.push(flight.reading);
            }
            left.extend(self.assets[asset as usize].store.empty());
            for reading in left {
                // Every attempt got a definite no: that is an outcome. A reading that was never sent, or may have arrived, has none.
                let fate =
                    if reading.refused && !reading.unsure { Fate::Refused } else { Fate::Pending };
                record.row(self.plan.first + asset, reading, End::of(fate));
            }
            self.disconnect(asset, Leave::Close, record);
        }
        self.batch.clear();
    }
}
