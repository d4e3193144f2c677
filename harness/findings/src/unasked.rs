//! Whether anybody looked: that nothing was seen is evidence only where something could have been seen.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::{Episode, Facts, Us};
use crate::failover::affected::Affected;
use crate::failover::limits;
use crate::format;
use crate::intervals::{length, overlap};
use crate::outage::Series;

/// Assets of which nobody can tell whether they were out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unasked {
    /// Those without a gated reading due in the span.
    pub assets: u64,
    /// Of so many that owe some, were in contact there, and may have been hit.
    pub of: u64,
    /// The first of them.
    pub such_as: u32,
    pub from: Us,
    pub to: Us,
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (format::moment(self.from), format::moment(self.to));
        write!(
            f,
            "{} of {} assets that may have been hit had no reading due from {from} to {to}, such as {}: \
             whether they were out is not known",
            self.assets, self.of, self.such_as
        )
    }
}

/// Of the first episode of which that holds: an asset that it may have hit had no gated reading due between the effect and the next planned
/// change. `affected` are those of each episode. Without a fault that took effect: an asset had none due in the whole run.
pub(crate) fn unasked(
    facts: &Facts,
    affected: &[&Affected],
    series: &[Series<'_>],
) -> Option<Unasked> {
    let span = |e: &Episode| (e.t_effect, limits(facts, e).0.min(facts.end));
    of_episodes(facts, affected, series, span)
}

/// The same for assets that may still be out at the end: nobody asked them for anything after the last change of their episode.
pub(crate) fn unasked_at_the_end(
    facts: &Facts,
    affected: &[&Affected],
    series: &[Series<'_>],
) -> Option<Unasked> {
    of_episodes(facts, affected, series, |e| (e.t_heal.unwrap_or(e.t_effect), facts.end))
}

fn of_episodes(
    facts: &Facts,
    affected: &[&Affected],
    series: &[Series<'_>],
    span: impl Fn(&Episode) -> (Us, Us),
) -> Option<Unasked> {
    if facts.episodes.is_empty() {
        return silent(facts, series, facts.fleet().collect(), (facts.start, facts.end));
    }
    let mut episodes = facts.episodes.iter().zip(affected);
    episodes.find_map(|(e, affected)| {
        // Where the fault does not declare whom it hits, anybody may be hit.
        let may_be_hit = |a: &usize| {
            e.affected.is_none() || affected.assets.binary_search(&facts.assets[*a].id).is_ok()
        };
        silent(facts, series, facts.fleet().filter(may_be_hit).collect(), span(e))
    })
}

/// Those of the assets that owe gated readings, were in contact within the span, and had none due there.
fn silent(
    facts: &Facts,
    series: &[Series<'_>],
    assets: Vec<usize>,
    (from, to): (Us, Us),
) -> Option<Unasked> {
    let mut due = vec![false; facts.assets.len()];
    for s in series.iter().filter(|s| facts.streams[s.stream].gated) {
        due[s.asset] |= s.readings.iter().any(|r| from <= r.t_ready && r.t_ready < to);
    }
    let owes = owing_fleets(facts);
    let judged: Vec<usize> = assets
        .into_iter()
        .filter(|a| owes[facts.assets[*a].fleet])
        .filter(|a| length(&overlap(&[(from, to)], &facts.contact(*a))) > 0)
        .collect();
    let silent: Vec<usize> = judged.iter().copied().filter(|a| !due[*a]).collect();
    Some(Unasked {
        such_as: facts.assets[*silent.first()?].id,
        assets: silent.len() as u64,
        of: judged.len() as u64,
        from,
        to,
    })
}

/// By fleet, whether outages are made of its readings.
fn owing_fleets(facts: &Facts) -> Vec<bool> {
    let mut owes = vec![false; facts.fleets.len()];
    facts.gated().for_each(|s| owes[facts.streams[s].fleet] = true);
    owes
}
