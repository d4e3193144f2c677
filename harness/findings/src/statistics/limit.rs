//! An absolute limit at a quantile: enough of the readings are at or below it, or too many are above.

use std::collections::BTreeMap;
use std::fmt;

use seams::gate::By;
use serde::{Deserialize, Serialize};

use super::binomial::{Side, clopper_pearson, tail};
use super::design_effect::design_effect;
use crate::facts::{Facts, NEVER, Phase, SECOND, Shard, Us};
use crate::intervals::nearest_rank;
use crate::reading::Reading;
use crate::verdict::Verdict;

/// One limit, asked of one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitGate<'a> {
    pub phase: &'a Phase,
    pub limit: Us,
    /// Share of the readings that must be at or below the limit.
    pub q: f64,
    pub by: Option<By>,
    /// Period of the scenario's own clock; the window is cut to whole multiples of it.
    pub clock: Us,
}

/// What the samples of one group say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitTest {
    pub verdict: Verdict,
    pub why: Option<Undecided>,
    pub sample: Option<Sample>,
}

/// Why a test is inconclusive although its bounds alone would not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undecided {
    /// Too short for an estimate of the design effect.
    #[serde(rename = "fewer than 12 blocks of 5 s")]
    FewBlocks,
    #[serde(rename = "no data")]
    NoData,
    /// Its fail does not survive Holm's correction.
    #[serde(rename = "Holm")]
    Holm,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FewBlocks => "fewer than 12 blocks of 5 s",
            Self::NoData => "no data",
            Self::Holm => "too likely by chance among all tests of this run",
        })
    }
}

/// Counts and bounds of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub n: u64,
    /// Readings over the limit, failed and unanswered ones among them.
    pub k: u64,
    /// Design effect: how many readings are worth one.
    pub deff: f64,
    pub n_eff: u64,
    pub k_eff_pass: u64,
    pub k_eff_fail: u64,
    /// Bounds of the share over the limit.
    pub upper: f64,
    pub lower: f64,
    /// Chance of this many misses at the limit itself.
    pub p_fail: f64,
    /// Block sizes in seconds with too few blocks to look for bursts.
    pub unchecked_blocks: Vec<u64>,
}

impl LimitTest {
    fn without(why: Undecided) -> Self {
        Self { verdict: Verdict::Inconclusive, why: Some(why), sample: None }
    }
}

/// From per-second counts: of readings, of those over the limit, of those over the sample quantile. `clock` in seconds.
#[must_use]
fn limit_gate(
    total: &[u64],
    slow: &[u64],
    above_quantile: &[u64],
    q: f64,
    clock: usize,
) -> LimitTest {
    if total.len() / 5 < 12 {
        return LimitTest::without(Undecided::FewBlocks);
    }
    let (n, k): (u64, u64) = (total.iter().sum(), slow.iter().sum());
    let allowed = ((1.0 - q) * 1e12).round() / 1e12;
    let (at_limit, unchecked_blocks) = design_effect(total, slow, clock);
    let deff = at_limit.max(design_effect(total, above_quantile, clock).0);
    let n_eff = (n as f64 / deff).floor() as u64;
    let k_eff_pass = n_eff.min((k as f64 / deff).ceil() as u64);
    let k_eff_fail = (k as f64 / deff).floor() as u64;
    let upper = clopper_pearson(k_eff_pass, n_eff, Side::Upper);
    let lower = clopper_pearson(k_eff_fail, n_eff, Side::Lower);
    let verdict = match () {
        () if upper <= allowed => Verdict::Pass,
        () if lower > allowed => Verdict::Fail,
        () => Verdict::Inconclusive,
    };
    let p_fail = tail(k_eff_fail, n_eff, allowed);
    let sample = Sample {
        n,
        k,
        deff,
        n_eff,
        k_eff_pass,
        k_eff_fail,
        upper,
        lower,
        p_fail,
        unchecked_blocks,
    };
    LimitTest { verdict, why: None, sample: Some(sample) }
}

/// One gate on the ack latency, per group.
#[must_use]
pub fn limit_gates(facts: &Facts, g: &LimitGate<'_>) -> BTreeMap<String, LimitTest> {
    let waits = facts.in_phase(g.phase).map(|r| (r, r.ack_latency()));
    limit_gates_over(facts, g, waits, |stream| facts.streams[stream].required)
}

/// One gate on any wait, `NEVER` where it never came. A group of which some stream `is_asked` and that has no reading is a test without
/// data: what is not there must not be missing from the verdict.
pub(crate) fn limit_gates_over<'a>(
    facts: &Facts,
    g: &LimitGate<'_>,
    waits: impl Iterator<Item = (&'a Reading, Us)>,
    is_asked: impl Fn(usize) -> bool,
) -> BTreeMap<String, LimitTest> {
    let mut groups: BTreeMap<Group, Vec<(Us, Us)>> = BTreeMap::new();
    let streams = facts.streams_by_fleet();
    for asset in facts.fleet() {
        for stream in streams[facts.assets[asset].fleet].iter().filter(|s| is_asked(**s)) {
            groups.entry(group(facts, g.by, asset, *stream)).or_default();
        }
    }
    for (r, wait) in waits {
        groups
            .entry(group(facts, g.by, r.asset as usize, r.stream.into()))
            .or_default()
            .push(((r.t_ready - g.phase.start) / SECOND, wait));
    }
    groups.into_iter().map(|(of, waits)| (of.name(facts), judge(g, waits))).collect()
}

/// Readings that are judged together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    All,
    Shard(Shard),
    Region(usize),
    Fleet(usize),
}

fn group(facts: &Facts, by: Option<By>, asset: usize, stream: usize) -> Group {
    match by {
        None => Group::All,
        // A reading whose shard nobody noted is judged, whatever is asked for.
        Some(By::Shard) => facts.shard_of(asset, stream).map_or(Group::All, Group::Shard),
        Some(By::Region) => Group::Region(facts.assets[asset].region),
        Some(By::Fleet) => Group::Fleet(facts.assets[asset].fleet),
    }
}

impl Group {
    fn name(self, facts: &Facts) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Shard(shard) => facts.shard_name(shard),
            Self::Region(region) => facts.regions[region].clone(),
            Self::Fleet(fleet) => facts.fleets[fleet].name.clone(),
        }
    }
}

/// `waits` are (second of the phase, wait).
fn judge(g: &LimitGate<'_>, mut waits: Vec<(Us, Us)>) -> LimitTest {
    let seconds = (g.phase.end - g.phase.start) / g.clock * g.clock / SECOND;
    waits.retain(|(second, _)| *second < seconds);
    let mut ranked: Vec<Us> = waits.iter().map(|(_, wait)| *wait).collect();
    ranked.sort_unstable();
    let Some(quantile) = nearest_rank(&ranked, g.q) else {
        return LimitTest::without(Undecided::NoData);
    };
    let per_second = |over: &dyn Fn(Us) -> bool| {
        let mut counts = vec![0; seconds as usize];
        waits
            .iter()
            .filter(|(_, wait)| over(*wait))
            .for_each(|(second, _)| counts[*second as usize] += 1);
        counts
    };
    let (total, slow) = (per_second(&|_| true), per_second(&|w| w > g.limit || w == NEVER));
    limit_gate(&total, &slow, &per_second(&|w| w > quantile), g.q, (g.clock / SECOND) as usize)
}
