//! Which links were cut, were let go in time, and still never showed that packets pass. What a cut was is taken from what was hit by
//! it, not from what was asked.

use std::collections::{BTreeMap, BTreeSet};

use model::{End, Event, LabEvent, Lever, Link, Micros, NodeId, Severs};

use super::Recorded;
use super::windows::opened;
use crate::facts::{SECOND, Us};

/// A window that leaves less time in contact than this, from its close to the end, leaves none to show anything: a machine has to
/// start first.
const TIME_TO_SHOW: Us = 5 * SECOND;

/// Both ends of each, in order.
pub(super) fn unhealed(recorded: &Recorded<'_>, end: Us) -> Vec<(String, String)> {
    let (mut cut, mut healed): (BTreeMap<&Link, Us>, BTreeMap<&Link, Us>) = Default::default();
    let mut down: BTreeSet<(&NodeId, &str)> = BTreeSet::new();
    for r in recorded.events {
        match &r.event {
            Event::Lab(LabEvent::Canary { link, passed: false }) => latest(&mut cut, link, r.at.0),
            Event::Proven { claim, link: Some(link), first, count: 1.., .. }
                if claim.lever.severs() != Severs::Nothing =>
            {
                latest(&mut cut, link, first.0)
            }
            Event::Lab(LabEvent::Healed { link, .. }) => latest(&mut healed, link, r.at.0),
            Event::Lab(LabEvent::ProcessStarted { node, process }) => {
                down.remove(&(node, process.as_str()));
            }
            // Closing the lab ends them all, which is after the run.
            Event::Lab(LabEvent::ProcessExited { node, process, asked: true, .. })
                if r.at.0 < end =>
            {
                down.insert((node, process.as_str()));
            }
            _ => {}
        }
    }
    let is_up =
        |end: &End| !matches!(end, End::Node(node) if down.iter().any(|(name, _)| *name == node));
    let windows = opened(recorded);
    let let_go = |link: &Link| {
        let silenced = |lever: Lever, at: &End| {
            lever.severs() != Severs::Nothing && (*at == link.from || *at == link.to)
        };
        let mut mine = windows
            .values()
            .filter(|w| w.claims.iter().any(|claim| silenced(claim.lever, &claim.end)));
        let closed = mine.try_fold(0, |last: Us, w| Some(last.max(w.closed?)));
        closed.is_some_and(|closed| {
            // A link out of contact has nothing to show.
            let contacts = recorded.plan.topology.track(link).contacts(recorded.plan.latest_end());
            let left = contacts
                .into_iter()
                .map(|(a, b)| Micros::after(b).0.min(end) - Micros::after(a).0.max(closed));
            left.max().is_some_and(|left| left >= TIME_TO_SHOW)
        })
    };
    let unshown = cut
        .into_iter()
        .filter(|(link, cut)| healed.get(link).is_none_or(|healed| healed < cut))
        .map(|(link, _)| link);
    let expected = unshown.filter(|link| is_up(&link.from) && is_up(&link.to) && let_go(link));
    expected.map(|link| (link.from.to_string(), link.to.to_string())).collect()
}

fn latest<'a>(of: &mut BTreeMap<&'a Link, Us>, link: &'a Link, at: Us) {
    let last = of.entry(link).or_insert(at);
    *last = at.max(*last);
}
