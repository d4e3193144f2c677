//! Section 4: readings that were acked and are nowhere. Unseen is not lost.

use model::Identity;
use model::ledger::Fate;
use serde::{Deserialize, Serialize};

use crate::classes::Class;
use crate::facts::{Facts, NEVER, Observer, ObserverKind, Us};
use crate::reading::Reading;
use crate::verdict::Verdict;

/// What was acked and lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Observers whose word decides, of each service and fleet: the read-backs where there are any, else all that keep everything.
    pub judges: Vec<String>,
    /// Acked readings of assets.
    pub acked: u64,
    /// Those of them that no observer looks for: nothing can be said of them.
    #[serde(default)]
    pub unwatched: u64,
    pub count: u64,
    pub assets: u64,
    /// In order of identity.
    pub lost: Vec<Identity>,
    /// How far before the first effect the oldest lost ack lies; 0 without one.
    pub reach: Us,
    /// Acked at or after the first effect.
    pub acked_after_effect: u64,
    /// Lost although acked at or after the first effect: split brain, which the classic RPO hides.
    pub after_effect: Vec<Identity>,
    pub unseen: Vec<Identity>,
    pub verdict: Verdict,
    pub verdict_after_effect: Verdict,
}

/// `classed` holds (index of the observer, class per reading) of each observer that keeps everything.
///
/// Services are judged apart: a reading that one of them has and another, further down the pipeline, lost, is lost. Within a service a
/// reading is lost only where every observer that decides misses it.
pub(crate) fn loss(facts: &Facts, classed: &[(usize, Vec<Option<Class>>)]) -> Loss {
    let judges = judges(facts, classed);
    let services = by_service(facts, &judges);
    let effect = facts.first_effect().unwrap_or(NEVER);
    let mut tally = Tally::default();
    let acked = |(_, r): &(usize, &Reading)| r.fate == Fate::Acked && !facts.is_probe(r);
    for (i, r) in facts.readings.iter().enumerate().filter(acked) {
        let fleet = facts.assets[r.asset as usize].fleet;
        let (mut lost, mut unseen, mut judged) = (false, false, false);
        for judges in &services {
            let says =
                |class| judges.iter().any(|j| j.decides[fleet] && j.classes[i] == Some(class));
            let (seen, open) = (says(Class::Observed), says(Class::Unseen));
            judged |= judges.iter().any(|j| j.decides[fleet]);
            lost |= says(Class::AckedLost) && !seen && !open;
            unseen |= open && !seen;
        }
        tally.add(r, effect, lost, unseen && !lost);
        tally.unwatched += u64::from(!judged);
        tally.unwatched_after += u64::from(!judged && r.t_acked >= effect);
    }
    let names = |rs: &[&Reading]| rs.iter().map(|r| facts.identity(r)).collect::<Vec<_>>();
    let reach = tally
        .lost
        .iter()
        .filter(|r| effect < NEVER && r.t_acked < effect)
        .map(|r| effect - r.t_acked);
    Loss {
        judges: judges.iter().map(|judge| judge.o.name.clone()).collect(),
        unwatched: tally.unwatched,
        acked: tally.acked,
        count: tally.lost.len() as u64,
        assets: tally.lost.chunk_by(|a, b| a.asset == b.asset).count() as u64,
        reach: reach.max().unwrap_or(0),
        acked_after_effect: tally.acked_after,
        verdict: verdict(tally.acked, tally.lost.len(), tally.unseen.len(), tally.unwatched),
        verdict_after_effect: verdict(
            tally.acked_after,
            tally.lost_after.len(),
            tally.unseen_after,
            tally.unwatched_after,
        ),
        lost: names(&tally.lost),
        after_effect: names(&tally.lost_after),
        unseen: names(&tally.unseen),
    }
}

/// One observer whose word decides.
pub(crate) struct Judge<'a> {
    o: &'a Observer,
    pub(crate) classes: &'a [Option<Class>],
    /// By fleet.
    pub(crate) decides: Vec<bool>,
}

/// The observers whose word decides for some fleet.
pub(crate) fn judges<'a>(
    facts: &'a Facts,
    classed: &'a [(usize, Vec<Option<Class>>)],
) -> Vec<Judge<'a>> {
    let judge = |(o, classes): &'a (usize, Vec<Option<Class>>)| Judge {
        o: &facts.observers[*o],
        classes,
        decides: decides(facts, classed, *o),
    };
    classed.iter().map(judge).filter(|judge| judge.decides.contains(&true)).collect()
}

/// The judges of each service that has any.
pub(crate) fn by_service<'j, 'a>(
    facts: &Facts,
    judges: &'j [Judge<'a>],
) -> Vec<Vec<&'j Judge<'a>>> {
    let mut services: Vec<Vec<&Judge<'_>>> = vec![Vec::new(); facts.services.len()];
    judges.iter().for_each(|judge| services[judge.o.service].push(judge));
    services.retain(|judges| !judges.is_empty());
    services
}

/// By fleet, whether the word of this observer decides: it does not where the same service was read back and this is no read-back.
fn decides(facts: &Facts, classed: &[(usize, Vec<Option<Class>>)], o: usize) -> Vec<bool> {
    let mine = &facts.observers[o];
    let read_back = |fleet: usize| {
        classed.iter().map(|(other, _)| &facts.observers[*other]).any(|other| {
            other.kind == ObserverKind::ReadBack
                && other.service == mine.service
                && other.takes[fleet]
        })
    };
    let decides = |(fleet, takes): (usize, &bool)| {
        *takes && (mine.kind == ObserverKind::ReadBack || !read_back(fleet))
    };
    mine.takes.iter().enumerate().map(decides).collect()
}

#[derive(Default)]
struct Tally<'a> {
    acked: u64,
    acked_after: u64,
    lost: Vec<&'a Reading>,
    lost_after: Vec<&'a Reading>,
    unseen: Vec<&'a Reading>,
    unseen_after: usize,
    unwatched: u64,
    unwatched_after: u64,
}

impl<'a> Tally<'a> {
    fn add(&mut self, r: &'a Reading, effect: Us, lost: bool, unseen: bool) {
        let after = r.t_acked >= effect;
        self.acked += 1;
        self.acked_after += u64::from(after);
        if lost {
            self.lost.push(r);
            self.lost_after.extend(after.then_some(r));
        }
        if unseen {
            self.unseen.push(r);
            self.unseen_after += usize::from(after);
        }
    }
}

/// Nothing acked in the scope proves nothing, and nobody proves anything of what nobody looks for.
fn verdict(acked: u64, lost: usize, unseen: usize, unwatched: u64) -> Verdict {
    match (acked, lost, unseen, unwatched) {
        (_, 1.., ..) => Verdict::Fail,
        (0, ..) | (_, _, 1.., _) | (.., 1..) => Verdict::Inconclusive,
        _ => Verdict::Pass,
    }
}
