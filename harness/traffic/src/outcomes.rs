//! How attempts and readings end: answers, deadlines, lost connections, a full recorder, the end of the run.

use model::{Micros, NodeIndex, Outcome, ledger::Fate, plan::Ack};
use seams::Progress;

use crate::{
    asset::Asset,
    connection::Event,
    fleet::Fleet,
    in_flight::Flight,
    recorder::Reading,
    recording::{End, Record},
};

impl Fleet {
    /// What the lane says.
    pub(crate) fn heard(&mut self, progress: Progress, now: Micros, record: &mut Record) {
        match progress {
            Progress::Up { conn, .. } => self.happens(conn.0, Event::Up, now, record),
            Progress::Down { conn, .. } => self.happens(conn.0, Event::Down, now, record),
            Progress::Sent { ticket, at } => self.sent(ticket, at, now, record),
            Progress::Done { ticket, outcome, at, by, position } => {
                let Some(flight) = self.land(ticket) else { return };
                let asset = flight.asset;
                match outcome {
                    Outcome::Acked => self.acked(flight, at, by, position, record),
                    Outcome::Refused | Outcome::Unknown => {
                        self.not_acked(flight, outcome, record);
                        self.happens(self.conn_of(asset), Event::Failed, now, record);
                    }
                }
                self.has_place(asset, now, record);
            }
        }
    }

    /// Takes an attempt out of the air.
    fn land(&mut self, ticket: u32) -> Option<Flight> {
        let asset = self.in_flight.get(ticket)?.asset as usize;
        let Asset { conn, under_way, .. } = &mut self.assets[asset];
        self.carriers[*conn as usize].under_way -= 1;
        self.in_flight.remove(ticket, under_way)
    }

    fn sent(&mut self, ticket: u32, at: Micros, now: Micros, record: &mut Record) {
        let Some(flight) = self.in_flight.get_mut(ticket) else { return };
        if let Some(last) = flight.reading.attempts.last_mut() {
            last.sent = last.sent.max(at);
        }
        if self.plan.streams[usize::from(flight.reading.stream)].ack == Ack::None
            && let Some(flight) = self.land(ticket)
        {
            self.lane.abandon(ticket);
            let asset = flight.asset;
            self.finish(asset, flight.reading, End::of(Fate::Unknown), record);
            self.has_place(asset, now, record);
        }
    }

    fn acked(
        &mut self,
        flight: Flight,
        at: Micros,
        by: Option<NodeIndex>,
        position: Option<u64>,
        record: &mut Record,
    ) {
        let Flight { asset, reading, .. } = flight;
        let carrier = &mut self.carriers[self.assets[asset as usize].conn as usize];
        carrier.connection.acked();
        let cohort = &mut self.cohorts[usize::from(carrier.cohort)];
        cohort.acked += 1;
        record.acked += 1;
        if self.plan.streams[usize::from(reading.stream)].ack == Ack::Required {
            cohort.latency(at.since(reading.ready));
        }
        let end = End { fate: Fate::Acked, acked: Some(at), position, by };
        self.finish(asset, reading, end, record);
    }

    /// The attempt was refused, or nobody knows.
    fn not_acked(&mut self, flight: Flight, outcome: Outcome, record: &mut Record) {
        let Flight { asset, mut reading, .. } = flight;
        let cohort = self.cohort_mut(asset);
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
            self.assets[asset as usize].recorder.push_stored(reading);
        } else {
            self.finish(asset, reading, End::of(fate), record);
        }
    }

    pub(crate) fn overdue(&mut self, ticket: u32, now: Micros, record: &mut Record) {
        let Some(flight) = self.land(ticket) else { return };
        self.lane.abandon(ticket);
        let asset = flight.asset;
        self.not_acked(flight, Outcome::Unknown, record);
        self.happens(self.conn_of(asset), Event::Failed, now, record);
        self.has_place(asset, now, record);
    }

    /// One reading less is under way.
    fn has_place(&mut self, asset: u32, now: Micros, record: &mut Record) {
        self.pump(asset, now);
        self.leave_if_answered(self.conn_of(asset), now, record);
    }

    /// Ends every attempt of the assets of a connection that is gone. What the lane never took was not an attempt.
    /// `cut`: only loss of signal is to blame.
    pub(crate) fn recall(&mut self, conn: u32, cut: bool, record: &mut Record) {
        let carrier = &mut self.carriers[conn as usize];
        carrier.under_way = 0;
        for asset in carrier.assets.clone() {
            while let Some((ticket, mut flight)) =
                self.in_flight.pop_first(&mut self.assets[asset as usize].under_way)
            {
                flight.reading.cut = cut;
                if flight.handed {
                    self.lane.abandon(ticket);
                    self.not_acked(flight, Outcome::Unknown, record);
                } else {
                    self.assets[asset as usize].recorder.push_stored(flight.reading);
                }
            }
            self.assets[asset as usize].recorder.shelve(cut);
        }
    }

    pub(crate) fn drop_reading(&mut self, asset: u32, reading: Reading, record: &mut Record) {
        let cohort = self.cohort_mut(asset);
        cohort.backlog -= 1;
        record.undecided -= 1;
        let fate = if reading.unsure {
            Fate::Unknown
        } else {
            cohort.dropped += 1;
            Fate::Dropped
        };
        record.row(self.identity(asset, &reading), reading, End::of(fate));
    }

    fn finish(&mut self, asset: u32, reading: Reading, end: End, record: &mut Record) {
        self.assets[asset as usize].recorder.settled(&reading);
        self.cohort_mut(asset).backlog -= 1;
        record.undecided -= 1;
        record.row(self.identity(asset, &reading), reading, end);
    }

    /// The run is over: every reading that is left gets its row, and every asset goes.
    pub(crate) fn end(&mut self, now: Micros, record: &mut Record) {
        for asset in 0..self.assets.len() as u32 {
            let mut left: Vec<Reading> = Vec::new();
            let state = &mut self.assets[asset as usize];
            while let Some((_, mut flight)) = self.in_flight.pop_first(&mut state.under_way) {
                flight.reading.unsure |= flight.handed;
                left.push(flight.reading);
            }
            left.extend(state.recorder.empty());
            for reading in left {
                // Every attempt got a definite no: that is an outcome. A reading that was never sent, or may have arrived, has none.
                let fate =
                    if reading.refused && !reading.unsure { Fate::Refused } else { Fate::Pending };
                record.row(self.identity(asset, &reading), reading, End::of(fate));
            }
        }
        for conn in 0..self.carriers.len() as u32 {
            self.happens(conn, Event::RunEnds, now, record);
        }
        self.outbox.clear();
    }
}
