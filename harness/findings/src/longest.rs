//! Section 2: distribution of the longest outage per asset, in contact time, with the unrecovered counted apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Us};
use crate::intervals::nearest_rank;
use crate::outage::{Out, in_contact};
use crate::shards::ShardOutages;

/// The longest outages of a group of assets; assets without one count as 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Longest {
    pub assets: u64,
    /// Assets with any outage.
    pub hit: u64,
    /// Assets that never recovered: their figures are lower bounds.
    pub censored: u64,
    pub p50: Us,
    pub p99: Us,
    pub max: Us,
}

/// Of all, and split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestBy {
    pub all: Longest,
    pub by_home: BTreeMap<String, Longest>,
    /// By `service/shard`.
    pub by_shard: BTreeMap<String, Longest>,
    pub by_fleet: BTreeMap<String, Longest>,
}

pub(crate) fn longest_by(
    facts: &Facts,
    out: &[Vec<Out>],
    shards: &BTreeMap<String, ShardOutages<'_>>,
) -> LongestBy {
    let by = |name: &dyn Fn(usize) -> String| {
        let groups = crate::group(facts.fleet(), |a| name(*a));
        groups.into_iter().map(|(name, assets)| (name, longest(facts, out, &assets))).collect()
    };
    LongestBy {
        all: longest(facts, out, &facts.fleet().collect::<Vec<_>>()),
        by_home: by(&|a| facts.regions[facts.assets[a].home].clone()),
        by_shard: shards
            .iter()
            .map(|(name, mine)| (name.clone(), longest(facts, &mine.out, &mine.assets)))
            .collect(),
        by_fleet: by(&|a| facts.fleets[facts.assets[a].fleet].name.clone()),
    }
}

fn longest(facts: &Facts, out: &[Vec<Out>], assets: &[usize]) -> Longest {
    let longest_of = |a: &usize| {
        out[*a].iter().map(|o| in_contact(facts, *a, o.start, o.end)).max().unwrap_or(0)
    };
    let mut worst: Vec<Us> = assets.iter().map(longest_of).collect();
    worst.sort_unstable();
    Longest {
        assets: assets.len() as u64,
        hit: assets.iter().filter(|a| !out[**a].is_empty()).count() as u64,
        censored: assets.iter().filter(|a| out[**a].iter().any(|o| o.censored)).count() as u64,
        p50: nearest_rank(&worst, 0.5).unwrap_or(0),
        p99: nearest_rank(&worst, 0.99).unwrap_or(0),
        max: worst.last().copied().unwrap_or(0),
    }
}
