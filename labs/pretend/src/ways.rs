//! How a message travels: what its link does to it, and what that proves.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{
    CutForm, Jitter, Lever, Link, LinkCondition, LinkQuality, Micros, Topology,
    schedule::{Draws, Purpose},
};
use seams::{Origin, Sight, Spot};
use tokio::time::Instant;

use crate::place::Place;

/// Wait before a lost message is sent again, as a TCP sender would; doubled each time.
const AGAIN: Duration = Duration::from_millis(200);
/// A message that was lost this often in a row is lost for good.
const TRIES: u32 = 8;
/// What headers add to a message, in bytes.
const HEADERS: u64 = 60;

pub(crate) struct Ways {
    topology: Arc<Topology>,
    draws: Draws,
    /// Messages so far: each has draws of its own.
    sent: u64,
    steady: BTreeMap<Link, LinkQuality>,
    /// Links with a rate, and when they are free again.
    free: BTreeMap<Link, Instant>,
    /// When the last message of a flow arrives: those behind it do not overtake it.
    flows: BTreeMap<(Origin, Origin), Instant>,
    hits: BTreeMap<(Lever, Spot), Count>,
}

#[derive(Clone, Copy)]
struct Count {
    hits: u64,
    established: u64,
    first: Micros,
}

pub(crate) enum Fate {
    Arrives(Instant),
    Lost,
    Rejected,
}

impl Ways {
    pub(crate) fn new(topology: Arc<Topology>, draws: Draws) -> Self {
        let steady = topology.links().map(|link| (link.clone(), topology.quality(&link))).collect();
        let (free, flows, hits) = Default::default();
        Self { topology, draws, sent: 0, steady, free, flows, hits }
    }

    /// Decides on one message and says what was noticed of it.
    pub(crate) fn send(&mut self, place: &Place, way: Way<'_>, sights: &mut Vec<Sight>) -> Fate {
        let Way { from, to, ports, size, now, at: _, established: _ } = way;
        self.sent += 1;
        let draws = self.draws.then(self.sent);
        if from.end == to.end {
            return Fate::Arrives(now);
        }
        let link = Link::new(from.end.clone(), to.end.clone());
        let steady = self.steady.get(&link).cloned().unwrap_or_default();
        let untouched = LinkCondition::default();
        let condition = place.way(&link).unwrap_or(&untouched);
        if let Some((lever, form)) = condition.cut_for(Some(ports.into()), true).map(|cut| (cut.lever(), cut.form)) {
            self.hit(lever, Spot::Link(link), &way, sights);
            return if form == CutForm::Reject { Fate::Rejected } else { Fate::Lost };
        }
        let Some(again) = self.tries(&link, &steady, condition, draws, &way, sights) else { return Fate::Lost };
        let late = [
            (Lever::Delay, !condition.quality.delay.is_zero()),
            (Lever::Jitter, !condition.quality.jitter.is_empty()),
            (Lever::Rate, condition.quality.rate.is_some()),
        ];
        for (lever, _) in late.into_iter().filter(|(_, asked)| *asked) {
            self.hit(lever, Spot::Link(link.clone()), &way, sights);
        }
        let begins = self.queue(&link, &steady, condition, size, now);
        let width = 2.0 * widths(&steady.jitter, &condition.quality.jitter);
        let delay = (steady.delay + condition.quality.delay).as_secs_f64() + width * (draws.unit(Purpose::Message, 0) - 0.5);
        let arrives = begins + again + Duration::from_secs_f64(delay.max(0.0));
        let last = self.flows.entry((from.clone(), to.clone())).or_insert(arrives);
        *last = (*last).max(arrives);
        Fate::Arrives(*last)
    }

    /// How much later it goes out after being lost and sent again; None when it never gets through.
    fn tries(
        &mut self,
        link: &Link,
        steady: &LinkQuality,
        asked: &LinkCondition,
        draws: Draws,
        way: &Way<'_>,
        sights: &mut Vec<Sight>,
    ) -> Option<Duration> {
        let lost = |chance: &model::Chance, try_: u64, index: u64| draws.then(try_).unit(Purpose::Message, index) < chance.as_f64();
        let mut waited = Duration::ZERO;
        for number in 0..TRIES {
            let try_ = u64::from(number) + 1;
            let by_fault = (0u64..).zip(&asked.quality.loss).any(|(index, chance)| lost(chance, try_, index));
            let by_nature = (1000u64..).zip(&steady.loss).any(|(index, chance)| lost(chance, try_, index));
            if by_fault {
                self.hit(Lever::Loss, Spot::Link(link.clone()), way, sights);
            }
            if !by_fault && !by_nature {
                return Some(waited);
            }
            waited += AGAIN * 2u32.pow(number);
        }
        None
    }

    /// When the link begins to carry it, with everything before it carried.
    fn queue(&mut self, link: &Link, steady: &LinkQuality, asked: &LinkCondition, size: usize, now: Instant) -> Instant {
        let Some(rate) = [steady.rate, asked.quality.rate].into_iter().flatten().min() else { return now };
        let bits = (size as u64 + HEADERS) * 8;
        let free = self.free.entry(link.clone()).or_insert(now);
        *free = (*free).max(now) + Duration::from_secs_f64(bits as f64 / rate.0.max(1) as f64);
        *free
    }

    fn hit(&mut self, lever: Lever, spot: Spot, way: &Way<'_>, sights: &mut Vec<Sight>) {
        self.count(lever, spot, way.at, way.established, sights);
    }

    /// Counts a hit; the first is told at once.
    pub(crate) fn count(&mut self, lever: Lever, spot: Spot, at: Micros, established: bool, sights: &mut Vec<Sight>) {
        let count = self.hits.entry((lever, spot.clone())).or_insert(Count { hits: 0, established: 0, first: at });
        count.hits += 1;
        count.established += u64::from(established);
        if count.hits == 1 {
            sights.push(Sight::Hit { lever, at: spot, count: 1, first: at, established: count.established });
        }
    }

    /// The lever was let go: what it did in all.
    pub(crate) fn let_go(&mut self, lever: Lever, spot: Spot, sights: &mut Vec<Sight>) {
        if let Some(Count { hits, established, first }) = self.hits.remove(&(lever, spot.clone())) {
            sights.push(Sight::Hit { lever, at: spot, count: hits, first, established });
        }
    }

    /// All that was counted and not told yet.
    pub(crate) fn let_all_go(&mut self, sights: &mut Vec<Sight>) {
        let hit: Vec<(Lever, Spot)> = self.hits.keys().cloned().collect();
        hit.into_iter().for_each(|(lever, spot)| self.let_go(lever, spot, sights));
    }

    pub(crate) fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }
}

/// One message on its way.
pub(crate) struct Way<'a> {
    pub(crate) from: &'a Origin,
    pub(crate) to: &'a Origin,
    pub(crate) ports: (u16, u16),
    pub(crate) size: usize,
    pub(crate) now: Instant,
    pub(crate) at: Micros,
    /// It belongs to a connection that stands.
    pub(crate) established: bool,
}

/// In seconds.
fn widths(steady: &[Jitter], asked: &[Jitter]) -> f64 {
    steady.iter().chain(asked).map(|jitter| jitter.width.as_secs_f64()).sum()
}
