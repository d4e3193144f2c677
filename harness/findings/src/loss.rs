//! Section 4: readings that were acked and are nowhere. Unseen is not lost.

use model::Identity;
use model::ledger::Fate;
use serde::{Deserialize, Serialize};

use crate::classes::Class;
use crate::facts::{Facts, NEVER, Role, Us};
use crate::reading::Reading;
use crate::verdict::Verdict;

/// What was acked and lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Observers whose word decides: the read-backs where there are any, else all that keep everything.
    pub judges: Vec<String>,
    /// Acked readings in scope.
    pub acked: u64,
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
pub(crate) fn loss(facts: &Facts, classed: &[(usize, Vec<Class>)]) -> Loss {
    let read_back = |o: &&(usize, Vec<Class>)| facts.observers[o.0].role == Role::ReadBack;
    let mut judges: Vec<_> = classed.iter().filter(read_back).collect();
    if judges.is_empty() {
        judges = classed.iter().collect();
    }
    let effect = facts.first_effect().unwrap_or(NEVER);
    let mut tally = Tally::default();
    for (i, r) in facts.readings.iter().enumerate().filter(|(_, r)| r.fate == Fate::Acked) {
        let says = |class| judges.iter().any(|(_, c)| c[i] == class);
        let lost = says(Class::AckedLost) && !says(Class::Observed) && !says(Class::Unseen);
        tally.add(r, effect, lost, says(Class::Unseen) && !says(Class::Observed));
    }
    let names = |rs: &[&Reading]| rs.iter().map(|r| facts.identity(r)).collect::<Vec<_>>();
    let reach = tally
        .lost
        .iter()
        .filter(|r| effect < NEVER && r.t_acked < effect)
        .map(|r| effect - r.t_acked);
    Loss {
        judges: judges.iter().map(|(o, _)| facts.observers[*o].name.clone()).collect(),
        acked: tally.acked,
        count: tally.lost.len() as u64,
        assets: tally.lost.chunk_by(|a, b| a.asset == b.asset).count() as u64,
        reach: reach.max().unwrap_or(0),
        acked_after_effect: tally.acked_after,
        verdict: verdict(tally.acked, tally.lost.len(), tally.unseen.len()),
        verdict_after_effect: verdict(
            tally.acked_after,
            tally.lost_after.len(),
            tally.unseen_after,
        ),
        lost: names(&tally.lost),
        after_effect: names(&tally.lost_after),
        unseen: names(&tally.unseen),
    }
}

#[derive(Default)]
struct Tally<'a> {
    acked: u64,
    acked_after: u64,
    lost: Vec<&'a Reading>,
    lost_after: Vec<&'a Reading>,
    unseen: Vec<&'a Reading>,
    unseen_after: usize,
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

/// Nothing acked in the scope proves nothing.
fn verdict(acked: u64, lost: usize, unseen: usize) -> Verdict {
    match (acked, lost, unseen) {
        (_, 1.., _) => Verdict::Fail,
        (0, ..) | (_, _, 1..) => Verdict::Inconclusive,
        _ => Verdict::Pass,
    }
}
