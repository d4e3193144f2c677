//! The first line: a sentence that a director understands.

use findings::{Verdict, facts::Proof};

use crate::{
    RunView,
    format::{amount, span},
};

/// `Losing us-west: READY. 0 of 12 410 acked readings lost; longest blind 4.21 s; service back after 3.10 s.`
pub(crate) fn headline(run: &RunView<'_>) -> String {
    let ready = match run.judgement.verdict {
        Verdict::Pass => "READY",
        Verdict::Fail => "NOT READY",
        Verdict::NotApplicable | Verdict::Inconclusive => "NOT DECIDED",
    };
    let findings = run.findings;
    let mut said = vec![format!(
        "{} of {} acked readings lost",
        amount(findings.loss.count),
        amount(findings.loss.acked)
    )];
    let longest = &findings.longest_outage.all;
    said.push(match (longest.hit, longest.censored) {
        (0, _) => "no asset was ever out".to_owned(),
        (_, 0) => format!("longest blind {}", span(longest.max)),
        (_, stuck) => {
            format!("{} still blind at the end, for at least {}", amount(stuck), span(longest.max))
        }
    });
    if let Some(t5) = findings.episodes.iter().filter_map(|episode| episode.timeline.t5).max()
        && t5 > 0
    {
        said.push(format!("last affected asset good again after {}", span(t5)));
    }
    let cause = match run.judgement.verdict {
        Verdict::Pass => String::new(),
        _ => format!("; cause: {}", run.judgement.exit_reason.trim_end_matches('.')),
    };
    format!("{}: {ready}. {}{cause}.", subject(run), said.join("; "))
}

/// What was done, by the proven windows: `Losing us-west`.
fn subject(run: &RunView<'_>) -> String {
    let done =
        run.findings.happened.windows.iter().filter(|window| window.proof != Proof::Unproven);
    let mut deeds: Vec<String> = done
        .map(|window| {
            let whom = region_of(run, &window.picked).unwrap_or_else(|| window.picked.join(", "));
            let planned =
                run.plan().windows.iter().find(|planned| planned.id.as_str() == window.id);
            format!("{} {whom}", planned.map_or("hitting", |planned| &planned.deed))
        })
        .collect();
    deeds.dedup();
    let text = if deeds.is_empty() { "a normal day".to_owned() } else { deeds.join(" and ") };
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
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
