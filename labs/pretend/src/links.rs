//! How a message travels: what its link does to it, and what that proves.
//!
//! Messages are parts of streams: duplicates, changed order and the MTU of packets are invisible to them, and do nothing here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{
    CutForm, LabEvent, Lever, Link, LinkCondition, LinkQuality, Micros, Topology, Track, event,
    schedule::Draws,
};
use seams::Origin;
use tokio::time::Instant;

use crate::{channel::Channel, state::Place};

/// Wait before a lost message is sent again, as a TCP sender would; doubled each time.
const AGAIN: Duration = Duration::from_millis(200);
/// A message that was lost this often in a row is lost for good.
const TRIES: u32 = 8;
/// What headers add to a message, in bytes.
const HEADERS: u64 = 60;

pub(crate) struct Links {
    topology: Arc<Topology>,
    draws: Draws,
    /// Messages so far: each has draws of its own.
    sent: u64,
    steady: BTreeMap<Link, Steady>,
    /// What links remember of what faults ask of them.
    asked: BTreeMap<Link, Channel>,
    /// Links with a rate, and when they are free again.
    free: BTreeMap<Link, Instant>,
    /// When the last message of a flow arrives: those behind it do not overtake it.
    flows: BTreeMap<(Origin, Origin), Instant>,
    hits: BTreeMap<(Lever, event::Place), Count>,
}

/// A link as the topology has it.
struct Steady {
    quality: LinkQuality,
    track: Track,
    channel: Channel,
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

impl Links {
    pub(crate) fn new(topology: Arc<Topology>, draws: Draws) -> Self {
        let steady = |link: &Link| Steady {
            quality: topology.quality(link),
            track: topology.track(link),
            channel: Channel::default(),
        };
        let steady = topology.links().map(|link| (link.clone(), steady(&link))).collect();
        let (asked, free, flows, hits) = Default::default();
        Self { topology, draws, sent: 0, steady, asked, free, flows, hits }
    }

    /// Decides on one message and says what was noticed of it.
    pub(crate) fn send(
        &mut self,
        place: &Place,
        way: Passage<'_>,
        sights: &mut Vec<LabEvent>,
    ) -> Fate {
        let Passage { from, to, now, .. } = way;
        self.sent += 1;
        let draws = self.draws.then(self.sent);
        if from.end == to.end {
            return Fate::Arrives(now);
        }
        let link = Link::new(from.end.clone(), to.end.clone());
        let untouched = LinkCondition::default();
        let condition = place.way(&link).unwrap_or(&untouched);
        if let Some(cut) = condition.cut_for(Some(way.ports.into()), way.carries_data) {
            self.hit(cut.lever(), &link, &way, sights);
            return if cut.form == CutForm::Reject { Fate::Rejected } else { Fate::Lost };
        }
        // Loss of signal is silence, as a cut is.
        let Some(steady) = self.steady(&link, way.at) else { return Fate::Lost };
        let asked = &condition.quality;
        let Some(leaves) = self.leaves(&link, &steady, asked, draws, &way, sights) else {
            return Fate::Lost;
        };
        let late = [
            (Lever::Delay, !asked.delay.is_zero()),
            (Lever::Jitter, !asked.jitter.is_empty()),
            (Lever::Rate, asked.rate.is_some()),
        ];
        for (lever, _) in late.into_iter().filter(|(_, asked)| *asked) {
            self.hit(lever, &link, &way, sights);
        }
        let arrives = leaves + self.flight(&link, &steady, asked, draws);
        let last = self.flows.entry((from.clone(), to.clone())).or_insert(arrives);
        *last = (*last).max(arrives);
        Fate::Arrives(*last)
    }

    /// What the link does by itself at a moment; None where it has no signal.
    fn steady(&self, link: &Link, at: Micros) -> Option<LinkQuality> {
        let Some(Steady { quality, track, .. }) = self.steady.get(link) else {
            return Some(LinkQuality::default());
        };
        // Before the origin the first slot holds.
        let moment = Duration::from_micros(u64::try_from(at.0).unwrap_or(0));
        match track.at(moment) {
            None => Some(quality.clone()),
            Some(slot) => slot.up.then(|| quality.then(&slot.quality)),
        }
    }

    /// When the last bit of it leaves, after being lost and sent again; None when it never gets through.
    fn leaves(
        &mut self,
        link: &Link,
        steady: &LinkQuality,
        asked: &LinkQuality,
        draws: Draws,
        way: &Passage<'_>,
        sights: &mut Vec<LabEvent>,
    ) -> Option<Instant> {
        let mut waited = Duration::ZERO;
        for number in 0..TRIES {
            let draws = draws.then(u64::from(number) + 1);
            let by_nature =
                self.steady.get_mut(link).and_then(|link| link.channel.takes(steady, draws));
            let by_fault =
                self.asked.entry(link.clone()).or_default().takes(asked, of_fault(draws));
            if let Some(lever) = by_fault {
                self.hit(lever, link, way, sights);
            }
            if by_nature.is_none() && by_fault.is_none() {
                let leaves = self.queued(link, &steady.then(asked), way, waited);
                if leaves.is_some() {
                    return leaves;
                }
                if asked.levers().contains(&Lever::Rate) {
                    self.hit(Lever::Rate, link, way, sights);
                }
            }
            waited += AGAIN * 2u32.pow(number);
        }
        None
    }

    /// When the link has carried it, with everything before it; None where its queue is full. Who waited before being sent again does
    /// not keep the link idle for others.
    fn queued(
        &mut self,
        link: &Link,
        quality: &LinkQuality,
        way: &Passage<'_>,
        waited: Duration,
    ) -> Option<Instant> {
        let enters = way.now + waited;
        let (Some(rate), Some(room)) = (quality.rate, quality.queue_bytes()) else {
            return Some(enters);
        };
        let seconds =
            |bytes: u64| Duration::from_secs_f64(bytes as f64 * 8.0 / rate.0.max(1) as f64);
        let takes = seconds(way.size as u64 + HEADERS);
        let free = self.free.entry(link.clone()).or_insert(way.now);
        let begins = (*free).max(enters);
        if begins - enters > seconds(room) {
            return None;
        }
        *free = (*free).max(way.now) + takes;
        Some(begins + takes)
    }

    /// The delay and every jitter, never below zero.
    fn flight(
        &mut self,
        link: &Link,
        steady: &LinkQuality,
        asked: &LinkQuality,
        draws: Draws,
    ) -> Duration {
        let by_nature = self
            .steady
            .get_mut(link)
            .map_or(0.0, |link| link.channel.jitter(&steady.jitter, draws));
        let by_fault =
            self.asked.entry(link.clone()).or_default().jitter(&asked.jitter, of_fault(draws));
        Duration::from_secs_f64(
            ((steady.delay + asked.delay).as_secs_f64() + by_nature + by_fault).max(0.0),
        )
    }

    fn hit(&mut self, lever: Lever, link: &Link, way: &Passage<'_>, sights: &mut Vec<LabEvent>) {
        self.count(lever, event::Place::Link(link.clone()), way.at, way.established, sights);
    }

    /// Counts a hit; the first is told at once.
    pub(crate) fn count(
        &mut self,
        lever: Lever,
        spot: event::Place,
        at: Micros,
        established: bool,
        sights: &mut Vec<LabEvent>,
    ) {
        let count = self.hits.entry((lever, spot.clone())).or_insert(Count {
            hits: 0,
            established: 0,
            first: at,
        });
        count.hits += 1;
        count.established += u64::from(established);
        if count.hits == 1 {
            sights.push(LabEvent::Hit {
                lever,
                at: spot,
                count: 1,
                first: at,
                established: count.established,
            });
        }
    }

    /// The lever was let go: what it did in all. The link forgets what it remembered of it.
    pub(crate) fn let_go(&mut self, lever: Lever, spot: event::Place, sights: &mut Vec<LabEvent>) {
        if let event::Place::Link(link) = &spot {
            self.asked.remove(link);
        }
        if let Some(Count { hits, established, first }) = self.hits.remove(&(lever, spot.clone())) {
            sights.push(LabEvent::Hit { lever, at: spot, count: hits, first, established });
        }
    }

    /// All that was counted and not told yet.
    pub(crate) fn let_all_go(&mut self, sights: &mut Vec<LabEvent>) {
        let hit: Vec<(Lever, event::Place)> = self.hits.keys().cloned().collect();
        hit.into_iter().for_each(|(lever, spot)| self.let_go(lever, spot, sights));
    }

    pub(crate) fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }
}

/// One message on its way.
pub(crate) struct Passage<'a> {
    pub(crate) from: &'a Origin,
    pub(crate) to: &'a Origin,
    pub(crate) ports: (u16, u16),
    pub(crate) size: usize,
    pub(crate) now: Instant,
    pub(crate) at: Micros,
    /// It belongs to a connection that stands.
    pub(crate) established: bool,
    /// It is more than the opening or the end of a connection.
    pub(crate) carries_data: bool,
}

/// Draws for what a fault does to a message, beside those for what its link does anyway.
fn of_fault(draws: Draws) -> Draws {
    draws.named("fault")
}

#[cfg(test)]
mod tests;
