//! What the fabric's counters prove: levers that bit, links that healed, canaries. It is asked to look as long as something is open.

use std::collections::{BTreeMap, BTreeSet};

use fabric::{CANARY_PORT, Hits, LinkCounters, Snapshot};
use model::{Conditions, LabEvent, Lever, Link, event::HealedBy, event::Place};

use crate::{events::LabEvents, policy::Numbering};

#[derive(Debug, Default)]
pub(crate) struct Proofs {
    /// Levers in force, and whether their first hit was told.
    open: BTreeMap<(Link, Lever), bool>,
    /// Links that were cut and are no more, with the port that was.
    healing: BTreeMap<Link, u16>,
    canaries: BTreeSet<Link>,
}

impl Proofs {
    pub(crate) fn is_busy(&self) -> bool {
        self.open.values().any(|told| !told)
            || !self.healing.is_empty()
            || !self.canaries.is_empty()
    }

    /// A new world holds. `closed` are the last counters of the links that changed.
    pub(crate) fn turn(
        &mut self,
        world: &Conditions,
        closed: &BTreeMap<Link, LinkCounters>,
        events: &LabEvents,
    ) {
        let all = |(link, condition): (&Link, &model::LinkCondition)| {
            let link = link.clone();
            condition.levers().into_iter().map(move |lever| (link.clone(), lever))
        };
        let wanted: BTreeSet<(Link, Lever)> = world.links.iter().flat_map(all).collect();
        for (link, lever) in self.open.keys().filter(|open| !wanted.contains(open)) {
            if let Some(counters) = closed.get(link) {
                tell_hit(link, *lever, counters, events);
            }
        }
        self.open.retain(|open, _| wanted.contains(open));
        self.healing.retain(|link, port| {
            !closed.get(link).is_some_and(|counters| tell_healed(link, *port, counters, events))
        });
        for open in wanted {
            self.open.entry(open).or_insert(false);
        }
    }

    /// This port of a link was cut, and is no more.
    pub(crate) fn expect_healing(&mut self, link: Link, port: u16) {
        self.healing.insert(link, port);
    }

    /// Whatever is cut again need not heal now.
    pub(crate) fn forget_healing(&mut self, is_cut: impl Fn(&Link, u16) -> bool) {
        self.healing.retain(|link, port| !is_cut(link, *port));
    }

    /// Links on which no packet has passed since they were freed, with the port that was cut.
    pub(crate) fn healing(&self) -> impl Iterator<Item = (&Link, u16)> {
        self.healing.iter().map(|(link, port)| (link, *port))
    }

    pub(crate) fn expect_canary(&mut self, link: Link) {
        self.canaries.insert(link);
    }

    pub(crate) fn look(&mut self, snapshot: &Snapshot, numbering: &Numbering, events: &LabEvents) {
        let counters = |link: &Link| snapshot.links.get(&numbering.to_fabric(link)?);
        for ((link, lever), told) in self.open.iter_mut().filter(|(_, told)| !**told) {
            *told = counters(link).is_some_and(|counters| tell_hit(link, *lever, counters, events));
        }
        self.healing.retain(|link, port| {
            !counters(link).is_some_and(|counters| tell_healed(link, *port, counters, events))
        });
        self.canaries.retain(|link| {
            let Some(counters) = counters(link) else { return true };
            let (hit, passed) =
                (counters.cut_hits().canaries > 0, counters.passed_hits.canaries > 0);
            if hit || passed {
                events.publish(LabEvent::Canary { link: link.clone(), passed });
            }
            !hit && !passed
        });
    }

    /// The end: totals of whatever is still in force.
    pub(crate) fn finish(
        &mut self,
        snapshot: &Snapshot,
        numbering: &Numbering,
        events: &LabEvents,
    ) {
        self.look(snapshot, numbering, events);
        for (link, lever) in std::mem::take(&mut self.open).into_keys() {
            if let Some(counters) =
                numbering.to_fabric(&link).and_then(|link| snapshot.links.get(&link))
            {
                tell_hit(&link, lever, counters, events);
            }
        }
    }
}

/// False where nothing has passed yet. Where only some ports were cut, packets of the stack say nothing: they may be of others.
fn tell_healed(link: &Link, port: u16, counters: &LinkCounters, events: &LabEvents) -> bool {
    let Hits { first_ns, canaries, .. } = counters.passed_hits;
    let (at, by) = match first_ns {
        Some(first) if port == CANARY_PORT => (events.clock.stamp_ns(first), HealedBy::Stack),
        _ if canaries > 0 => (events.clock.now(), HealedBy::Canary),
        _ => return false,
    };
    events.publish_at(at, LabEvent::Healed { link: link.clone(), by });
    true
}

/// False where there is nothing to tell yet.
fn tell_hit(link: &Link, lever: Lever, counters: &LinkCounters, events: &LabEvents) -> bool {
    let Hits { packets, established, first_ns: Some(first), .. } = counters.hits(lever) else {
        return false;
    };
    let first = events.clock.stamp_ns(first);
    events.publish(LabEvent::Hit {
        lever,
        at: Place::Link(link.clone()),
        count: packets,
        first,
        established,
    });
    true
}
