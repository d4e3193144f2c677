//! What charts draw, one value per second of the run, by intended time: a missing answer is in its own second, not in a later one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, NEVER, SECOND, Us};
use crate::failover::baseline::Backlog;
use crate::intervals::nearest_rank;
use crate::outage::Out;
use crate::outage_share::{Step, share_out};
use crate::reading::Reading;
use crate::shards::ShardOutages;

/// Every series begins at the start of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Charts {
    /// By home region, over readings with `ack: required`.
    pub regions: BTreeMap<String, PerSecond>,
    /// Readings ready for more than theta without an outcome, at the end of each second.
    pub backlog: Vec<u64>,
    /// U(t) of each home region.
    pub u_by_region: BTreeMap<String, Vec<Step>>,
    /// U(t) of each shard, by `service/shard`.
    pub u_by_shard: BTreeMap<String, Vec<Step>>,
}

/// One second is one element.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerSecond {
    /// Ack latency of the second's readings; `None` where the rank falls on one that was never acked, or nothing was due.
    pub p50: Vec<Option<Us>>,
    pub p99: Vec<Option<Us>>,
    pub max: Vec<Option<Us>>,
    pub acked: Vec<u32>,
    /// Due in this second and never acked.
    pub failed: Vec<u32>,
}

pub(crate) fn charts(
    facts: &Facts,
    out: &[Vec<Out>],
    shards: &BTreeMap<String, ShardOutages<'_>>,
) -> Charts {
    let seconds = usize::try_from((facts.end - facts.start + SECOND - 1) / SECOND).unwrap_or(0);
    let asked: Vec<&Reading> = facts.of_assets().filter(|r| facts.required(r)).collect();
    let backlog = Backlog::new(facts, &asked);
    let home = |a: usize| facts.regions[facts.assets[a].home].clone();
    let mut regions: Vec<Vec<&Reading>> = vec![Vec::new(); facts.regions.len()];
    asked.iter().for_each(|r| regions[facts.assets[r.asset as usize].home].push(r));
    let regions = facts.regions.iter().zip(&regions).filter(|(_, readings)| !readings.is_empty());
    Charts {
        regions: regions
            .map(|(name, readings)| (name.clone(), per_second(facts, seconds, readings)))
            .collect(),
        backlog: (1..=seconds).map(|s| backlog.at(facts.start + s as Us * SECOND) as u64).collect(),
        u_by_region: crate::group(facts.fleet(), |a| home(*a))
            .into_iter()
            .map(|(name, assets)| (name, share_out(facts, out, assets)))
            .collect(),
        u_by_shard: shards
            .iter()
            .map(|(name, mine)| {
                (name.clone(), share_out(facts, &mine.out, mine.assets.iter().copied()))
            })
            .collect(),
    }
}

fn per_second(facts: &Facts, seconds: usize, readings: &[&Reading]) -> PerSecond {
    let mut waits: Vec<Vec<Us>> = vec![Vec::new(); seconds];
    for r in readings {
        let second = usize::try_from((r.t_ready - facts.start).div_euclid(SECOND)).ok();
        if let Some(slot) = second.and_then(|s| waits.get_mut(s)) {
            slot.push(r.ack_latency());
        }
    }
    let mut series = PerSecond::default();
    for mut wait in waits {
        wait.sort_unstable();
        let rank = |q| nearest_rank(&wait, q).filter(|w| *w < NEVER);
        series.p50.push(rank(0.5));
        series.p99.push(rank(0.99));
        series.max.push(rank(1.0));
        let acked = wait.partition_point(|w| *w < NEVER);
        series.acked.push(acked as u32);
        series.failed.push((wait.len() - acked) as u32);
    }
    series
}
