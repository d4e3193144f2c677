//! Section 1: exact percentiles by nearest rank. What never came is above every finite value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, NEVER, Observer, Phase, Us};
use crate::intervals::nearest_rank;
use crate::reading::Reading;

/// The quantiles that are printed.
pub(crate) const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p100", 1.0)];

/// A percentile, or its lower bound where the rank falls on a reading that was never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentile {
    pub us: Us,
    /// The true value is this or more.
    pub at_least: bool,
}

/// Latency of one set of readings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    pub n: u64,
    /// Readings without an answer.
    pub censored: u64,
    pub percentiles: BTreeMap<String, Percentile>,
}

/// Percentiles of `(wait or NEVER, longest wait possible)` pairs.
pub(crate) fn figures(waits: impl Iterator<Item = (Us, Us)>) -> Latency {
    let (mut finite, mut censored, mut shortest) = (Vec::new(), 0usize, NEVER);
    for (wait, possible) in waits {
        if wait == NEVER {
            censored += 1;
            shortest = shortest.min(possible);
        } else {
            finite.push(wait);
        }
    }
    finite.sort_unstable();
    let n = finite.len() + censored;
    let unanswered =
        finite.last().copied().unwrap_or(0).max(if censored > 0 { shortest } else { 0 });
    let ranks: Vec<usize> = (0..n).collect();
    let value = |q| {
        let rank = nearest_rank(&ranks, q)?;
        let known = finite.get(rank).map(|us| Percentile { us: *us, at_least: false });
        Some(known.unwrap_or(Percentile { us: unanswered, at_least: true }))
    };
    let percentiles =
        QUANTILES.iter().filter_map(|(name, q)| Some(((*name).to_owned(), value(*q)?))).collect();
    Latency { n: n as u64, censored: censored as u64, percentiles }
}

/// Ack latency of each phase.
pub(crate) fn ack(facts: &Facts) -> BTreeMap<String, Latency> {
    let of =
        |p: &Phase| figures(facts.in_phase(p).map(|r| (r.ack_latency(), facts.end - r.t_ready)));
    facts.phases.iter().map(|p| (p.name.clone(), of(p))).collect()
}

/// `t_obs - t_ready` at one observer, `NEVER` when it never saw the reading.
fn platform_wait(o: &Observer, index: usize, r: &Reading) -> Us {
    o.sightings.of(index).iter().map(|s| s.t).min().map_or(NEVER, |t| t - r.t_ready)
}

/// The readings of a phase that an observer should have shown, decided ones of assets only, each with its wait.
pub(crate) fn platform_waits<'a>(
    facts: &'a Facts,
    o: &'a Observer,
    phase: &'a Phase,
) -> impl Iterator<Item = (&'a Reading, Us)> {
    let mine = facts.readings.iter().enumerate().filter(|(_, r)| {
        facts.takes(o, r)
            && facts.falls_in(phase, r.t_ready)
            && !facts.undecided(r)
            && !facts.is_probe(r)
    });
    mine.map(|(i, r)| (r, platform_wait(o, i, r)))
}

/// Platform latency of each phase at one observer.
pub(crate) fn platform(facts: &Facts, o: &Observer) -> BTreeMap<String, Latency> {
    let of = |p: &Phase| {
        figures(platform_waits(facts, o, p).map(|(r, wait)| (wait, facts.end - r.t_ready)))
    };
    facts.phases.iter().map(|p| (p.name.clone(), of(p))).collect()
}

/// Time from the start of the last attempt to the ack: diagnosis only, never gated.
pub(crate) fn service(facts: &Facts) -> BTreeMap<String, Latency> {
    let of = |p: &Phase| {
        let acked = facts.in_phase(p).filter(|r| r.ack_latency() < NEVER && r.sent_last < NEVER);
        figures(acked.map(|r| (r.t_acked - r.sent_last, 0)))
    };
    facts.phases.iter().map(|p| (p.name.clone(), of(p))).collect()
}

/// A baseline with p99 over theta / 2, or without a good reading, cannot carry a verdict.
pub(crate) fn baseline_fits(facts: &Facts) -> bool {
    let Some(phase) = facts.baseline() else { return false };
    let mut waits: Vec<Us> = facts.in_phase(phase).map(Reading::ack_latency).collect();
    waits.sort_unstable();
    let good = waits.first().is_some_and(|w| *w <= facts.theta);
    good && nearest_rank(&waits, 0.99).is_some_and(|p99| p99 <= facts.theta / 2)
}
