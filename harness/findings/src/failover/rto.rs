//! RTO(phi): end of the last excursion above phi that begins before the next planned change, since the effect.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Reached, judged_end, limits};
use crate::facts::{Episode, Facts, NEVER, SECOND, Us};
use crate::outage::Series;
use crate::outage_share::{Excursion, Step, excursions};

/// Share of the affected assets that may stay out when a recovery is called one. These are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MayStayOut {
    #[serde(rename = "0")]
    Nobody,
    #[serde(rename = "1%")]
    OnePercent,
    #[serde(rename = "10%")]
    TenPercent,
    #[serde(rename = "50%")]
    Half,
}

impl MayStayOut {
    pub(crate) const ALL: [Self; 4] =
        [Self::Nobody, Self::OnePercent, Self::TenPercent, Self::Half];

    pub(crate) fn basis_points(self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::OnePercent => 100,
            Self::TenPercent => 1_000,
            Self::Half => 5_000,
        }
    }
}

impl fmt::Display for MayStayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody",
            Self::OnePercent => "1%",
            Self::TenPercent => "10%",
            Self::Half => "50%",
        })
    }
}

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
    let hold = (10 * SECOND).max(2 * slowest_period(facts));
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

/// Of the gated streams of the run, those of probes left out.
fn slowest_period(facts: &Facts) -> Us {
    let mut owes = vec![false; facts.fleets.len()];
    facts.fleet().for_each(|a| owes[facts.assets[a].fleet] = true);
    let streams = facts.streams.iter().filter(|s| s.gated && owes[s.fleet]);
    streams.map(|s| facts.slowest(s)).max().unwrap_or(0)
}

/// Whether every asset had a gated reading due in the span: else its silence says nothing.
fn all_due(facts: &Facts, series: &[Series<'_>], assets: &[usize], from: Us, to: Us) -> bool {
    let mut due = vec![false; facts.assets.len()];
    for s in series.iter().filter(|s| facts.streams[s.stream].gated) {
        due[s.asset] |= s.readings.iter().any(|r| from <= r.t_ready && r.t_ready < to);
    }
    !assets.is_empty() && assets.iter().all(|a| due[*a])
}
