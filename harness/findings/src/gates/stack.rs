//! What the stack says of itself, and what its processes did.

use document::units::Time;
use schemars::JsonSchema;
use seams::gate::Rests;
use serde::{Deserialize, Serialize};

use super::outage::micros;
use super::params::at_most;
use super::{Evidence, Gate, Judgement};
use crate::facts::Us;
use crate::format;
use crate::verdict::Verdict;

at_most! {
    /// Processes of the stack that ended although neither a fault nor the end of the run asked for it.
    UnexpectedExits, u64
}

/// Time until every service is fully redundant again and stays so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redundant {
    /// Longer than this fails.
    pub max: Time,
    /// Counted from the beginning of this phase; from the last heal unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Gate for UnexpectedExits {
    fn rests(&self) -> Rests {
        Rests::Told
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let exits: Vec<_> = run.found.happened.exits.iter().filter(|e| !e.asked).collect();
        let asked = run.found.happened.exits.len() - exits.len();
        if run.found.happened.exits.is_empty() && run.found.happened.processes_started == 0 {
            let why = "the lab told of no process: nobody watched for exits";
            return Judgement::no_data(super::at_most(self.max), why);
        }
        Judgement::count(exits.len() as u64, self.max, format!("{asked} asked for"), || {
            let first = exits[0];
            format!(
                "{} on {} ended at {} ({})",
                first.process,
                first.node,
                format::duration(first.t),
                first.status
            )
        })
    }
}

impl Gate for Redundant {
    fn rests(&self) -> Rests {
        Rests::Told
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let max = micros(self.max);
        let limit = super::at_most(format::duration(max));
        let since = match &self.after {
            Some(name) => run.facts.phases.iter().find(|p| p.name == *name).map(|p| p.start),
            None => run.facts.episodes.iter().filter_map(|e| e.t_heal).max(),
        };
        let Some(since) = since else {
            return Judgement::no_data(limit, "the run did not get to where it is counted from");
        };
        let said = &run.found.happened.redundant;
        let services = crate::group(said.iter(), |r| r.service.to_string());
        let back = |(name, changes): (&String, &Vec<&crate::facts::Redundant>)| {
            let last = changes.iter().rposition(|c| !c.redundant).map_or(0, |i| i + 1);
            (changes.get(last).map(|c| (c.t - since).max(0)), name.clone())
        };
        let waits: Vec<(Option<Us>, String)> = services.iter().map(back).collect();
        let worst = waits.iter().max_by_key(|(wait, _)| wait.map_or(Us::MAX, |w| w));
        match worst {
            None => Judgement::no_data(limit, "no service said whether it is redundant"),
            Some((None, name)) => {
                let seen = format!("> {}", format::duration((run.facts.end - since).max(0)));
                let why = Some(format!("{name} is not redundant at the end"));
                Judgement::new(Verdict::Fail, limit, seen, format!("as {name} says"), why)
            }
            Some((Some(wait), name)) => {
                let said = |name: &&str| services.contains_key(*name);
                let mut names = run.facts.services.iter().map(|service| service.name.as_str());
                let silent = names.find(|name| !said(name));
                let unseen = silent.map(|name| format!("{name} never said whether it is"));
                let late = *wait > max;
                let verdict = if late { Verdict::Fail } else { Verdict::Pass };
                let why = late.then(|| format!("{name} was redundant too late"));
                Judgement::new(
                    verdict,
                    limit,
                    format::duration(*wait),
                    format!("as {name} says"),
                    why,
                )
                .unless_unseen(unseen)
            }
        }
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(self.max))
    }
}
