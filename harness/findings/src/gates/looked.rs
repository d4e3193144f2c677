//! Whether anybody looked: that nothing was seen is evidence only where something could have been seen.

use super::Evidence;
use crate::facts::{Facts, Us};
use crate::failover::limits;
use crate::format;
use crate::intervals::{length, overlap};

/// What of a fault nobody could see, as a sentence: an asset that it may have hit had no gated reading due between the effect and the next
/// planned change. Without a fault that took effect: an asset had none due in the whole run.
pub(super) fn unseen_outages(run: &Evidence<'_>) -> Option<String> {
    let facts = run.facts;
    if facts.episodes.is_empty() {
        return silent(run, facts.fleet().collect(), "assets", (facts.start, facts.end));
    }
    let spans = facts.episodes.iter().map(|e| (e.t_effect, limits(facts, e).0.min(facts.end)));
    of_episodes(run, spans.collect())
}

/// The same for assets that may still be out at the end: nobody asked them for anything after the last change of their episode.
pub(super) fn unseen_at_the_end(run: &Evidence<'_>) -> Option<String> {
    let facts = run.facts;
    if facts.episodes.is_empty() {
        return silent(run, facts.fleet().collect(), "assets", (facts.start, facts.end));
    }
    let spans = facts.episodes.iter().map(|e| (e.t_heal.unwrap_or(e.t_effect), facts.end));
    of_episodes(run, spans.collect())
}

fn of_episodes(run: &Evidence<'_>, spans: Vec<(Us, Us)>) -> Option<String> {
    let facts = run.facts;
    let mut episodes = facts.episodes.iter().zip(&run.found.episodes).zip(spans);
    episodes.find_map(|((e, found), span)| {
        // Where the fault does not declare whom it hits, anybody may be hit.
        let (assets, whose): (Vec<usize>, _) = match e.affected {
            None => (facts.fleet().collect(), "assets"),
            Some(_) => {
                let hit =
                    |a: &usize| found.affected.assets.binary_search(&facts.assets[*a].id).is_ok();
                (facts.fleet().filter(hit).collect(), "affected assets")
            }
        };
        silent(run, assets, whose, span)
    })
}

/// Those of the assets that owe gated readings, were in contact within the span, and had none due there.
fn silent(run: &Evidence<'_>, assets: Vec<usize>, whose: &str, span: (Us, Us)) -> Option<String> {
    let facts = run.facts;
    let mut due = vec![false; facts.assets.len()];
    for s in run.series.iter().filter(|s| facts.streams[s.stream].gated) {
        due[s.asset] |= s.readings.iter().any(|r| span.0 <= r.t_ready && r.t_ready < span.1);
    }
    let owes = owing_fleets(facts);
    let judged: Vec<usize> = assets
        .into_iter()
        .filter(|a| owes[facts.assets[*a].fleet])
        .filter(|a| length(&overlap(&[span], &facts.contact(*a))) > 0)
        .collect();
    let silent: Vec<usize> = judged.iter().copied().filter(|a| !due[*a]).collect();
    let first = facts.assets[*silent.first()?].id;
    Some(format!(
        "{} of {} {whose} had no reading due from {} to {}, such as {first}: whether they were out is not known",
        silent.len(),
        judged.len(),
        format::moment(span.0),
        format::moment(span.1),
    ))
}

/// By fleet, whether outages are made of its readings.
fn owing_fleets(facts: &Facts) -> Vec<bool> {
    let mut owes = vec![false; facts.fleets.len()];
    facts.gated().for_each(|s| owes[facts.streams[s].fleet] = true);
    owes
}
