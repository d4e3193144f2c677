//! Who was hit: as the fault declares, else whoever missed theta. The others are the control cohort.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::limits;
use crate::facts::{Affects, Episode, Facts, Shard, Us};
use crate::outage::{Out, Series, in_contact};

/// The affected cohort; probes are nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The fault declared them; else they are whoever missed theta, and gates on the control cohort cannot be judged.
    pub declared: bool,
    /// Ids, ascending.
    pub assets: Vec<u32>,
    /// Those of them with a surviving path, over which RTO is taken.
    pub with_path: u64,
    /// Longest outage of one without a surviving path that lies in the episode, in contact time; 0 where there is none.
    #[serde(default)]
    pub longest_without_path: Us,
}

impl Affected {
    /// Affected assets to which the fault left no way: they are in every figure but RTO.
    #[must_use]
    pub fn without_path(&self) -> u64 {
        self.assets.len() as u64 - self.with_path
    }
}

/// Indices of the affected assets.
pub(crate) fn affected(facts: &Facts, series: &[Series<'_>], e: &Episode) -> BTreeSet<usize> {
    match &e.affected {
        Some(rule) => {
            let streams = facts.streams_by_fleet();
            let is_hit = |a: &usize| rule.assets.contains(a) || hits(facts, rule, &streams, *a);
            facts.fleet().filter(is_hit).collect()
        }
        None => missed_theta(facts, series, e),
    }
}

/// Indices of those with a surviving path: RTO is taken over them.
pub(crate) fn with_path(hit: &BTreeSet<usize>, e: &Episode) -> Vec<usize> {
    hit.difference(&e.cut_off).copied().collect()
}

/// The longest outage in the episode of those that it leaves no path.
pub(crate) fn longest_without_path(
    facts: &Facts,
    e: &Episode,
    hit: &BTreeSet<usize>,
    out: &[Vec<Out>],
) -> Us {
    let until = limits(facts, e).1;
    let mine = hit.intersection(&e.cut_off).flat_map(|a| out[*a].iter().map(move |o| (*a, o)));
    let inside = mine.filter(|(_, o)| o.end > e.t_effect && o.start < until);
    inside.map(|(a, o)| in_contact(facts, a, o.start, o.end)).max().unwrap_or(0)
}

/// A region is hit for the assets that send to the service which lost it; a shard for all whose readings lie in it, also those that
/// another service passed on.
fn hits(facts: &Facts, rule: &Affects, streams: &[Vec<usize>], asset: usize) -> bool {
    let a = &facts.assets[asset];
    let lost = |region| rule.regions.contains(&(facts.sends_to(a), region));
    let lies_in = |shard: &Shard| {
        let mut mine = streams[a.fleet].iter();
        mine.any(|stream| facts.shard_in(shard.service, asset, *stream) == Some(*shard))
    };
    lost(a.region) || lost(a.home) || rule.shards.iter().any(lies_in)
}

fn missed_theta(facts: &Facts, series: &[Series<'_>], e: &Episode) -> BTreeSet<usize> {
    let (from, to) = (e.t_effect - facts.theta, limits(facts, e).1);
    let missed = |s: &&Series<'_>| {
        s.readings.iter().any(|r| from <= r.t_ready && r.t_ready < to && !facts.good(r))
    };
    series.iter().filter(|s| !facts.assets[s.asset].probe).filter(missed).map(|s| s.asset).collect()
}
