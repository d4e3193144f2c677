//! What is to be written down: ledger rows, per-second latencies and counters, and how late the generator itself was.

use std::time::Duration;

use model::{FleetId, Identity, Micros, NodeIndex, RegionId, Row, ledger::Fate};
use run::{Count, Counted, Histogram, histogram};

use crate::{
    recorder::Reading,
    writing::{Stretch, Writing},
};

/// The assets of a fleet with one home.
#[derive(Debug)]
pub(crate) struct HomeGroup {
    pub(crate) fleet: FleetId,
    /// Home, then where they go when it does not answer.
    pub(crate) regions: Vec<RegionId>,
    pub(crate) generated: u64,
    pub(crate) acked: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    pub(crate) dropped: u64,
    pub(crate) backlog: u64,
    pub(crate) connected: u64,
    latencies: Histogram,
}

impl HomeGroup {
    pub(crate) fn new(fleet: FleetId, regions: Vec<RegionId>) -> Self {
        Self {
            fleet,
            regions,
            generated: 0,
            acked: 0,
            refused: 0,
            unknown: 0,
            dropped: 0,
            backlog: 0,
            connected: 0,
            latencies: histogram(),
        }
    }

    pub(crate) fn latency(&mut self, latency: Duration) {
        self.latencies.saturating_record(micros(latency));
    }

    /// What this second held; begins the next one.
    fn take(&mut self, at: Micros) -> Count {
        let take = std::mem::take::<u64>;
        let of = Counted::Assets {
            fleet: self.fleet.clone(),
            home: self.regions[0].clone(),
            generated: take(&mut self.generated),
            acked: take(&mut self.acked),
            refused: take(&mut self.refused),
            unknown: take(&mut self.unknown),
            dropped: take(&mut self.dropped),
            backlog: self.backlog,
            connected: self.connected,
        };
        Count { at, of }
    }
}

/// How a reading ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) fate: Fate,
    pub(crate) acked: Option<Micros>,
    pub(crate) position: Option<u64>,
    pub(crate) by: Option<NodeIndex>,
}

impl End {
    pub(crate) fn of(fate: Fate) -> Self {
        Self { fate, acked: None, position: None, by: None }
    }
}

/// Of the loop's own lateness.
const TICK_US: u64 = 1_000;

/// At least one, the lowest that a histogram tells from nothing.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) writing: Writing,
    pub(crate) lag: Histogram,
    pub(crate) loop_lag: Histogram,
    pub(crate) generated: u64,
    pub(crate) acked: u64,
    pub(crate) undecided: u64,
}

impl Record {
    pub(crate) fn new(writing: Writing) -> Self {
        Self {
            writing,
            lag: histogram(),
            loop_lag: histogram(),
            generated: 0,
            acked: 0,
            undecided: 0,
        }
    }

    /// The start of a first attempt, late by this much.
    pub(crate) fn late(&mut self, by: Duration) {
        self.lag.saturating_record(micros(by));
    }

    /// The loop waited, and whatever was due then would have been on time.
    pub(crate) fn loop_waited(&mut self, during: Duration) {
        self.loop_lag.saturating_record_n(1, micros(during) / TICK_US);
    }

    /// The loop was late by this much when it had done everything that was due. What became due on the way was late by what was left
    /// of it, so each millisecond counts.
    pub(crate) fn loop_late(&mut self, by: Duration) {
        let late = micros(by).min(self.loop_lag.high());
        if let Err(error) = self.loop_lag.record_correct(late, TICK_US) {
            unreachable!("it was cut to the highest: {error}");
        }
    }

    pub(crate) fn row(&mut self, identity: Identity, reading: Reading, end: End) {
        let Reading { ready, attempts, stored, .. } = reading;
        let row = Row {
            identity,
            ready,
            attempts,
            fate: end.fate,
            acked: end.acked,
            position: end.position,
            by: end.by,
            stored,
        };
        self.writing.row(row);
    }

    /// The end of a stretch of time, usually a second. The schedule has been generated up to `until`.
    pub(crate) fn cut<'a>(
        &mut self,
        from: Micros,
        until: Micros,
        cohorts: impl Iterator<Item = &'a mut HomeGroup>,
    ) {
        let (mut counts, mut latencies) = (Vec::new(), Vec::new());
        for cohort in cohorts {
            counts.push(cohort.take(until));
            if !cohort.latencies.is_empty() {
                let tag = format!("{}/{}", cohort.fleet, cohort.regions[0]);
                latencies.push((tag, std::mem::replace(&mut cohort.latencies, histogram())));
            }
        }
        self.writing.ends(Stretch { from, until, counts, latencies });
    }
}
