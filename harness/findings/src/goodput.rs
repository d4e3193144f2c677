//! Section 1: good live readings per second, by `t_ready`, for one cohort.

use crate::facts::{Facts, SECOND};
use crate::outage::Series;
use crate::reading::Reading;

/// One count per second of the run, over the judged readings of the assets that `of` names.
pub(crate) fn goodput(
    facts: &Facts,
    series: &[Series<'_>],
    of: impl Fn(usize) -> bool,
) -> Vec<u32> {
    per_second(facts, series, of, |r| facts.good(r))
}

/// The judged readings, good or not: what an asset out of contact is not asked for.
pub(crate) fn asked(facts: &Facts, series: &[Series<'_>], of: impl Fn(usize) -> bool) -> Vec<u32> {
    per_second(facts, series, of, |_| true)
}

fn per_second(
    facts: &Facts,
    series: &[Series<'_>],
    of: impl Fn(usize) -> bool,
    counts_as: impl Fn(&Reading) -> bool,
) -> Vec<u32> {
    let mut counts =
        vec![0; usize::try_from((facts.end - facts.start + SECOND - 1) / SECOND).unwrap_or(0)];
    for s in series.iter().filter(|s| of(s.asset)) {
        for r in s.readings.iter().filter(|r| counts_as(r)) {
            counts[((r.t_ready - facts.start) / SECOND) as usize] += 1;
        }
    }
    counts
}
