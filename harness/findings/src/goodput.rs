//! Section 1: good live readings per second, by `t_ready`, for one cohort.

use crate::facts::{Facts, SECOND};
use crate::outage::Series;

/// One count per second of the run, over the judged readings of the assets that `of` names.
pub(crate) fn goodput(
    facts: &Facts,
    series: &[Series<'_>],
    of: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let mut counts =
        vec![0; usize::try_from((facts.end - facts.start + SECOND - 1) / SECOND).unwrap_or(0)];
    for s in series.iter().filter(|s| of(s.asset)) {
        for r in s.readings.iter().filter(|r| facts.good(r)) {
            counts[((r.t_ready - facts.start) / SECOND) as usize] += 1;
        }
    }
    counts
}
