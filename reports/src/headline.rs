//! The first line: a sentence that a director understands. Each of its parts has a test of the case in which it may be said.

use findings::{Findings, Verdict, facts::Proof};
use model::Event;

use crate::{
    RunView,
    format::{amount, span},
};

/// `Losing us-west: READY. 0 of 12 410 acked readings lost; longest blind 4.21 s; last affected asset good again after 5.1 s.`
pub(crate) fn headline(run: &RunView<'_>) -> String {
    let ready = match run.judgement.verdict {
        Verdict::Pass => "READY",
        Verdict::Fail => "NOT READY",
        Verdict::NotApplicable | Verdict::Inconclusive => "NOT DECIDED",
    };
    let findings = run.findings;
    let said = [
        Some(lost(findings)),
        undelivered(findings),
        Some(longest(findings)),
        stranded(findings),
        good_again(findings),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    let cause = match run.judgement.verdict {
        Verdict::Pass => String::new(),
        _ => format!("; cause: {}", run.judgement.exit_reason.trim_end_matches('.')),
    };
    let expected = run.judgement.expected.as_ref();
    let expected = expected.map_or(String::new(), |expected| format!("; {}", expected.sentence));
    format!("{}: {ready}. {}{cause}{expected}.", subject(run), said.join("; "))
}

/// A number that nobody could see is not 0.
fn lost(findings: &Findings) -> String {
    let loss = &findings.loss;
    let acked = amount(loss.acked);
    if loss.judges.is_empty() {
        return format!("whether any of {acked} acked readings was lost is not known");
    }
    let open = loss.unseen.len() as u64 + loss.unwatched;
    let open = if open > 0 { format!(", of {} nobody can tell", amount(open)) } else { "".into() };
    format!("{} of {acked} acked readings lost{open}", amount(loss.count))
}

/// Of those that somebody looks for.
fn undelivered(findings: &Findings) -> Option<String> {
    let delivered = &findings.delivered;
    let missing = delivered.missing();
    (missing > 0)
        .then(|| format!("{} of {} readings never arrived", amount(missing), amount(delivered.due)))
}

fn longest(findings: &Findings) -> String {
    let longest = &findings.longest_outage.all;
    match (longest.hit, longest.censored, &findings.unasked) {
        (0, _, Some(_)) => "whether any asset was out is not known".to_owned(),
        (0, _, None) => "no asset was ever out".to_owned(),
        (_, 0, _) => format!("longest blind {}", span(longest.max)),
        (_, stuck, _) => {
            format!("{} still blind at the end, for at least {}", amount(stuck), span(longest.max))
        }
    }
}

/// Those to which a fault left no way are in no recovery time, so they are told here.
fn stranded(findings: &Findings) -> Option<String> {
    let affected = || findings.episodes.iter().map(|episode| &episode.affected);
    let assets = affected().map(|affected| affected.without_path()).max().filter(|n| *n > 0)?;
    let longest = affected().map(|affected| affected.longest_without_path).max().unwrap_or(0);
    let had = if assets == 1 { "asset had" } else { "assets had" };
    let out = match (longest, &findings.unasked) {
        (1.., _) => format!(", out for up to {}", span(longest)),
        (_, None) => ", and none of them was out".to_owned(),
        (_, Some(_)) => String::new(),
    };
    Some(format!("{} affected {had} no way left{out}", amount(assets)))
}

fn good_again(findings: &Findings) -> Option<String> {
    let t5 = findings.episodes.iter().filter_map(|episode| episode.timeline.t5).max()?;
    (t5 > 0).then(|| format!("last affected asset good again after {}", span(t5)))
}

/// What was done, by the windows that were shown to bite: `Losing us-west`.
fn subject(run: &RunView<'_>) -> String {
    let windows = &run.findings.happened.windows;
    let done = windows.iter().filter(|window| window.proof != Proof::Unproven);
    let mut deeds: Vec<String> = done
        .map(|window| {
            let whom = region_of(run, &window.picked).unwrap_or_else(|| window.picked.join(", "));
            let planned =
                run.plan().windows.iter().find(|planned| planned.id.as_str() == window.id);
            format!("{} {whom}", planned.map_or("hitting", |planned| &planned.deed))
        })
        .collect();
    deeds.dedup();
    let armed = || run.run.events.iter().any(|record| record.event == Event::Armed);
    let text = match () {
        () if !deeds.is_empty() => deeds.join(" and "),
        () if !armed() => "a run that never started".to_owned(),
        () if windows.is_empty() => "a normal day".to_owned(),
        () => "a drill whose fault was not shown to have any effect".to_owned(),
    };
    let first = text.chars().next().map_or(String::new(), |first| first.to_uppercase().to_string());
    format!("{first}{}", text.chars().skip(1).collect::<String>())
}

/// The region whose nodes these are, all of them.
fn region_of(run: &RunView<'_>, picked: &[String]) -> Option<String> {
    let topology = &run.plan().topology;
    topology.regions.keys().find_map(|region| {
        let nodes: Vec<&str> = topology.nodes_in(region).map(|node| node.as_str()).collect();
        let same =
            nodes.len() == picked.len() && picked.iter().all(|name| nodes.contains(&name.as_str()));
        same.then(|| region.to_string())
    })
}
