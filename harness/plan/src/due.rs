//! Readings that fall due, counted from the schedule by the rules of the judge: what a plan promises is what will be judged.
//!
//! Counted are those of assets, never of probes, that are ready when they are generated and have the availability deadline left, of the
//! run and of their contact. What planned silence records is judged too, but when it is ready depends on the replay: it is not promised.
//! A last phase that ends once everything is decided may end at once: theta before the end of sending is not promised either.

use std::{collections::BTreeSet, time::Duration};

use model::{
    FleetId, Micros, Plan, RegionId,
    plan::{Ack, Fleet, Phase, Stream},
    schedule::Schedule,
};

use crate::windows::earliest_open;

/// Half open, on the clock of the run.
pub(crate) type Stretch = (Micros, Micros);

pub(crate) struct Due<'p> {
    pub(crate) plan: &'p Plan,
    schedule: Schedule,
}

/// The readings of one stream of one asset.
pub(crate) struct Counted<'p> {
    pub(crate) asset: u32,
    /// Its number within the fleet.
    pub(crate) stream: u16,
    pub(crate) fleet: &'p FleetId,
    pub(crate) home: &'p RegionId,
    pub(crate) readings: u64,
    /// Whether the asset can be reached at some moment of what was asked about.
    pub(crate) in_contact: bool,
}

impl<'p> Due<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        Self { plan, schedule: Schedule::new(plan) }
    }

    /// Those with `ack: required`.
    pub(crate) fn required(&self, within: &[Stretch]) -> Vec<Counted<'p>> {
        self.counted(within, |_, stream| stream.ack == Ack::Required)
    }

    /// Those of the streams that `counts` names, one by one: also of those of which none is due.
    pub(crate) fn counted(
        &self,
        within: &[Stretch],
        counts: impl Fn(&FleetId, &Stream) -> bool,
    ) -> Vec<Counted<'p>> {
        let mut found = vec![];
        for (name, fleet) in self.plan.fleets.iter().filter(|(_, fleet)| !fleet.probe) {
            let streams: Vec<u16> = (0..)
                .zip(&fleet.streams)
                .filter(|(_, stream)| counts(name, stream))
                .map(|(number, _)| number)
                .collect();
            // The ids are given out in the order of the homes.
            let mut next = fleet.first;
            for (home, assets) in &fleet.home {
                let contact = both(&self.contact(fleet, home), within);
                let in_contact = !contact.is_empty();
                let within = both(&self.decided(fleet, home), within);
                for (asset, stream) in (next..next + assets)
                    .flat_map(|asset| streams.iter().map(move |stream| (asset, *stream)))
                {
                    let readings = self.readings(asset, stream, &within);
                    found.push(Counted { asset, stream, fleet: name, home, readings, in_contact });
                }
                next += assets;
            }
        }
        found
    }

    fn readings(&self, asset: u32, stream: u16, within: &[Stretch]) -> u64 {
        let Some(series) = self.schedule.series(asset, stream) else { return 0 };
        within.iter().map(|(from, to)| series.before(*to) - series.before(*from)).sum()
    }

    /// When assets of this home can be reached, while the run surely lasts.
    fn contact(&self, fleet: &Fleet, home: &RegionId) -> Vec<Stretch> {
        let end = Micros::after(self.plan.stop());
        let cell = fleet.cells.get(home).and_then(|name| self.plan.topology.cells.get(name));
        let spans = match cell.map(|cell| &cell.track) {
            Some(track) if !track.is_empty() => track.contacts(self.plan.latest_end()),
            _ => vec![(Duration::ZERO, self.plan.latest_end())],
        };
        let spans = spans.into_iter();
        spans.map(|(aos, los)| (Micros::after(aos), Micros::after(los).min(end))).collect()
    }

    /// When what they record is ready at once, and decided: at the last moment that leaves theta, or before.
    fn decided(&self, fleet: &Fleet, home: &RegionId) -> Vec<Stretch> {
        let last = |los: Micros| Micros(los.0 - Micros::after(self.plan.theta).0 + 1);
        let contact = self.contact(fleet, home).into_iter();
        contact.map(|(aos, los)| (aos, last(los))).filter(|(a, b)| a < b).collect()
    }

    /// What gates on percentiles judge of a phase: theta before a fault is left out, because those readings may hang in flight when it
    /// strikes.
    pub(crate) fn judged(&self, phase: &Phase) -> Vec<Stretch> {
        let theta = Micros::after(self.plan.theta);
        let mut left = vec![(Micros::after(phase.start), Micros::after(phase.end.latest()))];
        let strikes: BTreeSet<Micros> =
            self.plan.windows.iter().map(|window| Micros::after(earliest_open(window))).collect();
        for strike in strikes {
            let around = [(Micros::ZERO, Micros(strike.0 - theta.0)), (strike, Micros::MAX)];
            left = both(&left, &around);
        }
        left
    }
}

/// Where two lists of stretches meet; each is in order.
pub(crate) fn both(one: &[Stretch], other: &[Stretch]) -> Vec<Stretch> {
    let meet = |a: &Stretch| {
        let a = *a;
        other.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))).filter(|(from, to)| from < to)
    };
    one.iter().flat_map(meet).collect()
}
