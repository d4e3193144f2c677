//! Whether work got done while something was broken, against what got done before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{During, Evidence, Gate, Judgement, Relative};
use crate::facts::{NEVER, SECOND, Us};
use crate::marks::limits;
use crate::verdict::Verdict;

/// Good live readings per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Goodput {
    /// At least this.
    pub min: Relative,
    /// Phases; from the effect of each fault until the next planned change unless said otherwise.
    #[serde(default, skip_serializing_if = "During::is_empty")]
    pub during: During,
    /// Whose.
    #[serde(default)]
    pub of: Cohort,
}

/// Assets judged together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cohort {
    #[default]
    All,
    /// Those that the fault declares to hit.
    Affected,
    /// The others: what happens to them is collateral damage.
    Control,
}

/// Good readings per second, of how many assets, and the spans to look at.
type Counted<'a> = (&'a [u32], usize, Vec<(Us, Us)>);

impl Gate for Goodput {
    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let limit = format!("at least {}", self.min);
        match self.shares(run) {
            Err(judged) => Judgement { limit, ..*judged },
            Ok(shares) => {
                let worst = shares.into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a });
                let Some((share, evidence)) = worst else { return Judgement::no_data(limit, "no whole second lies in its span") };
                let fails = share < self.min.0;
                let verdict = if fails { Verdict::Fail } else { Verdict::Pass };
                let why = fails.then(|| match self.of {
                    Cohort::Control => "assets that the fault should not touch suffered".to_owned(),
                    _ => "too little got through in time".to_owned(),
                });
                Judgement::new(verdict, limit, format!("{share:.3} x baseline"), evidence, why)
            }
        }
    }
}

impl Goodput {
    /// Share of the baseline in each span, with its evidence.
    fn shares(&self, run: &Evidence<'_>) -> Result<Vec<(f64, String)>, Box<Judgement>> {
        let no_data = |why: String| Box::new(Judgement::no_data(String::new(), why));
        let Some(baseline) = run.facts.baseline() else { return Err(no_data("the plan has no steady phase".to_owned())) };
        if run.found.happened.windows.is_empty() && self.during.is_empty() {
            let none = "no fault is planned".to_owned();
            return Err(Box::new(Judgement::new(Verdict::Pass, String::new(), "nobody".to_owned(), none, None)));
        }
        if run.found.episodes.is_empty() && (self.during.is_empty() || !run.found.happened.windows.is_empty()) {
            return Err(no_data("no fault took effect".to_owned()));
        }
        let mut shares = Vec::new();
        let mut cohorts = self.cohorts(run).map_err(no_data)?;
        if self.of == Cohort::Control {
            // An episode that hits everybody has no control cohort; the others still have theirs.
            cohorts.retain(|(_, assets, _)| *assets > 0);
            if cohorts.is_empty() {
                let none = "every asset is affected, as declared: there is no control cohort".to_owned();
                return Err(Box::new(Judgement::new(Verdict::Pass, String::new(), "nobody".to_owned(), none, None)));
            }
        }
        for (counts, assets, spans) in cohorts {
            let before = rate(run, counts, (baseline.start, baseline.end.min(run.facts.first_effect().unwrap_or(NEVER) - run.facts.theta)));
            let Some(before) = before.filter(|rate| *rate > 0.0) else {
                return Err(no_data("nothing good in the baseline to compare with".to_owned()));
            };
            let evidence = |now: f64| format!("{now:.1}/s against {before:.1}/s of {assets} assets");
            shares.extend(spans.into_iter().filter_map(|s| rate(run, counts, s)).map(|now| (now / before, evidence(now))));
        }
        Ok(shares)
    }

    /// What to compare, per episode.
    fn cohorts<'a>(&self, run: &'a Evidence<'_>) -> Result<Vec<Counted<'a>>, String> {
        let fleet = run.facts.fleet().count();
        let named = self.during.0.iter().map(|name| {
            let phase = run.facts.phases.iter().find(|p| p.name == *name);
            phase.map(|p| (p.start, p.end)).ok_or_else(|| format!("the run did not reach phase `{name}`"))
        });
        let named = named.collect::<Result<Vec<_>, _>>()?;
        if run.facts.episodes.is_empty() {
            return Ok(vec![(&run.found.goodput, fleet, named)]);
        }
        let mut cohorts = Vec::new();
        for (e, found) in run.facts.episodes.iter().zip(&run.found.episodes) {
            if e.affected.is_none() && self.of != Cohort::All {
                return Err("the fault does not declare whom it hits".to_owned());
            }
            let span = (e.t_effect, limits(run.facts, e).0.min(run.facts.stop - run.facts.theta));
            let spans = if named.is_empty() { vec![span] } else { named.clone() };
            cohorts.push(match self.of {
                Cohort::All => (found_all(run), fleet, spans),
                Cohort::Affected => (found.goodput_affected.as_slice(), found.affected.assets.len(), spans),
                Cohort::Control => (found.goodput_control.as_slice(), fleet - found.affected.assets.len(), spans),
            });
        }
        Ok(cohorts)
    }
}

fn found_all<'a>(run: &'a Evidence<'_>) -> &'a [u32] {
    &run.found.goodput
}

/// Mean over the whole seconds of the span in which readings are generated and can be decided; `None` without one.
fn rate(run: &Evidence<'_>, counts: &[u32], (from, to): (Us, Us)) -> Option<f64> {
    let to = to.min(run.facts.stop - run.facts.theta);
    let first = usize::try_from((from - run.facts.start + SECOND - 1).div_euclid(SECOND)).ok()?;
    let last = usize::try_from((to - run.facts.start).div_euclid(SECOND)).ok()?;
    let seconds = counts.get(first..last).filter(|seconds| !seconds.is_empty())?;
    Some(seconds.iter().map(|n| f64::from(*n)).sum::<f64>() / seconds.len() as f64)
}
