//! What the fabric's counters prove: levers that bit, links that healed, canaries. It is asked to look as long as something is open.

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Hits, LinkCounters, Snapshot};
use model::{Conditions, Lever, Link};
use seams::{Sight, Spot};

use crate::{voice::Voice, world::Numbering};

#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Levers in force, and whether their first hit was told.
    open: BTreeMap<(Link, Lever), bool>,
    healing: BTreeSet<Link>,
    canaries: BTreeSet<Link>,
}

impl Watch {
    pub(crate) fn is_busy(&self) -> bool {
        self.open.values().any(|told| !told) || !self.healing.is_empty() || !self.canaries.is_empty()
    }

    /// A new world holds. `closed` are the last counters of the links that changed.
    pub(crate) fn turn(&mut self, world: &Conditions, closed: &BTreeMap<Link, LinkCounters>, voice: &Voice) {
        let all = |(link, condition): (&Link, &model::LinkCondition)| {
            let link = link.clone();
            condition.levers().into_iter().map(move |lever| (link.clone(), lever))
        };
        let wanted: BTreeSet<(Link, Lever)> = world.links.iter().flat_map(all).collect();
        for (link, lever) in self.open.keys().filter(|open| !wanted.contains(open)) {
            if let Some(counters) = closed.get(link) {
                tell_hit(link, *lever, counters, voice);
            }
        }
        self.open.retain(|open, _| wanted.contains(open));
        for open in wanted {
            self.open.entry(open).or_insert(false);
        }
    }

    /// These links were cut, and are no more.
    pub(crate) fn expect_healing(&mut self, links: impl IntoIterator<Item = Link>) {
        self.healing.extend(links);
    }

    /// This link is cut (again).
    pub(crate) fn forget_healing(&mut self, link: &Link) {
        self.healing.remove(link);
    }

    pub(crate) fn expect_canary(&mut self, link: Link) {
        self.canaries.insert(link);
    }

    pub(crate) fn look(&mut self, snapshot: &Snapshot, numbering: &Numbering, voice: &Voice) {
        let counters = |link: &Link| snapshot.links.get(&numbering.to_fabric(link)?);
        for ((link, lever), told) in self.open.iter_mut().filter(|(_, told)| !**told) {
            *told = counters(link).is_some_and(|counters| tell_hit(link, *lever, counters, voice));
        }
        self.healing.retain(|link| match counters(link).and_then(|counters| counters.passed_hits.first_ns) {
            Some(first) => {
                voice.say_at(voice.stamp(first), Sight::Healed { link: link.clone() });
                false
            }
            None => true,
        });
        self.canaries.retain(|link| {
            let Some(counters) = counters(link) else { return true };
            let (hit, passed) = (counters.cut_hits().canaries > 0, counters.passed_hits.canaries > 0);
            if hit || passed {
                voice.say(Sight::Canary { link: link.clone(), passed });
            }
            !hit && !passed
        });
    }

    /// The end: totals of whatever is still in force.
    pub(crate) fn finish(&mut self, snapshot: &Snapshot, numbering: &Numbering, voice: &Voice) {
        self.look(snapshot, numbering, voice);
        for (link, lever) in std::mem::take(&mut self.open).into_keys() {
            if let Some(counters) = numbering.to_fabric(&link).and_then(|link| snapshot.links.get(&link)) {
                tell_hit(&link, lever, counters, voice);
            }
        }
    }
}

/// False where there is nothing to tell yet.
fn tell_hit(link: &Link, lever: Lever, counters: &LinkCounters, voice: &Voice) -> bool {
    let Hits { packets, established, first_ns: Some(first), .. } = counters.hits(lever) else { return false };
    let first = voice.stamp(first);
    voice.say(Sight::Hit { lever, at: Spot::Link(link.clone()), count: packets, first, established });
    true
}
