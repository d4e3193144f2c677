//! RTO(phi): end of the last excursion above phi that begins before the next planned change, since the effect.

use serde::{Deserialize, Serialize};

use super::{Reached, judged_end, limits};
use crate::facts::{Episode, Facts, NEVER, SECOND, Us};
use crate::outage::Series;
use crate::share::{Excursion, Step, excursions};

/// Shares that are printed, in basis points.
pub(crate) const SHARES: [(&str, u64); 4] = [("0", 0), ("1%", 100), ("10%", 1_000), ("50%", 5_000)];

/// Recovery time of the affected assets that have a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rto {
    pub reached: Reached,
    /// Since the effect; none unless reached.
    pub value: Option<Us>,
    /// Lower bound where it was not reached.
    pub at_least: Option<Us>,
    /// First return that held for max(10 s, two of the slowest gated periods).
    pub first_recovery: Option<Us>,
    /// Excursions that began after it.
    pub relapses: u64,
}

pub(crate) fn rto(
    facts: &Facts,
    e: &Episode,
    series: &[Series<'_>],
    steps: &[Step],
    assets: &[usize],
    basis_points: u64,
) -> Rto {
    let (effect, change) = (e.t_effect, limits(facts, e).0.min(facts.end));
    let after = |x: Excursion| {
        (x.end.is_none_or(|b| b > effect)).then_some((x.start.max(effect), x.end.unwrap_or(NEVER)))
    };
    let seen: Vec<(Us, Us)> =
        excursions(steps, basis_points, true).into_iter().filter_map(after).collect();
    let mine: Vec<(Us, Us)> = seen.iter().copied().filter(|(a, _)| *a < change).collect();
    let Some((_, end)) = mine.last().copied() else {
        let reached = if all_due(facts, series, assets, effect, change) {
            Reached::NoOutage
        } else {
            Reached::NotDecidable
        };
        return Rto { reached, value: None, at_least: None, first_recovery: None, relapses: 0 };
    };
    let hold =
        (10 * SECOND).max(2 * facts.gated().map(|s| facts.streams[s].period).max().unwrap_or(0));
    let next = seen.iter().skip(1).map(|(a, _)| *a).chain([NEVER]);
    let mut held = seen
        .iter()
        .zip(next)
        .filter(|((_, b), then)| *b < NEVER && b + hold <= facts.end && *then > b + hold);
    let held = held.next().map(|((_, b), _)| *b);
    let (reached, value, at_least) = judged_end(facts, e, end, end);
    let relapses = mine.iter().filter(|(a, _)| held.is_some_and(|h| *a > h)).count() as u64;
    Rto { reached, value, at_least, first_recovery: held.map(|h| h - effect), relapses }
}

/// Whether every asset had a gated reading due in the span: else its silence says nothing.
fn all_due(facts: &Facts, series: &[Series<'_>], assets: &[usize], from: Us, to: Us) -> bool {
    let mut due = vec![false; facts.assets.len()];
    for s in series.iter().filter(|s| facts.streams[s.stream].gated) {
        due[s.asset] |= s.readings.iter().any(|r| from <= r.t_ready && r.t_ready < to);
    }
    !assets.is_empty() && assets.iter().all(|a| due[*a])
}
