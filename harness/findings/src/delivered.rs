//! Section 1: live readings that are visible at the end, of those generated in contact. What waits on an asset, was dropped there or was
//! given up never arrived, whoever is to blame.

use serde::{Deserialize, Serialize};

use crate::classes::Class;
use crate::facts::Facts;
use crate::loss::{by_service, judges};

/// What arrived. Readings of probes, those recorded in planned silence, and those of the last theta of the run are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Live readings that somebody looks for.
    pub due: u64,
    /// Those of them that are visible at the end, in each service that they should get to.
    pub visible: u64,
    /// Those that an observer may still show: it did not get past their place.
    pub unseen: u64,
    /// Live readings that nobody looks for: nothing can be said of them.
    pub unwatched: u64,
}

impl Delivered {
    /// Readings that never arrived.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.due - self.visible - self.unseen
    }
}

/// `classed` holds (index of the observer, class per reading) of each observer that keeps everything.
pub(crate) fn delivered(facts: &Facts, classed: &[(usize, Vec<Option<Class>>)]) -> Delivered {
    let judges = judges(facts, classed);
    let services = by_service(facts, &judges);
    let mut total = Delivered::default();
    let due = facts.readings.iter().enumerate();
    for (i, r) in
        due.filter(|(_, r)| r.live() && !facts.is_probe(r) && r.t_ready + facts.theta <= facts.end)
    {
        let fleet = facts.assets[r.asset as usize].fleet;
        let (mut watched, mut visible, mut gone) = (false, true, false);
        for judges in &services {
            let mine = || judges.iter().filter(|j| j.decides[fleet]);
            if mine().next().is_none() {
                continue;
            }
            let says = |class| mine().any(|j| j.classes[i] == Some(class));
            watched = true;
            visible &= says(Class::Observed);
            gone |= !says(Class::Observed) && !says(Class::Unseen);
        }
        total.due += u64::from(watched);
        total.visible += u64::from(watched && visible);
        total.unseen += u64::from(watched && !visible && !gone);
        total.unwatched += u64::from(!watched);
    }
    total
}
