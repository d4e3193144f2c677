//! Whether work got done while something was broken, against what got done before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{During, Evidence, Gate, Judgement, Relative};
use crate::facts::{NEVER, SECOND, Us};
use crate::failover::limits;
use crate::goodput::asked;
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
struct Counted<'a> {
    good: &'a [u32],
    /// Readings that were asked for, where planned silence makes that another number at another time.
    asked: Option<Vec<u32>>,
    assets: usize,
    spans: Vec<(Us, Us)>,
}

impl Gate for Goodput {
    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let limit = format!("at least {}", self.min);
        match self.shares(run) {
            Err(judged) => Judgement { limit, ..*judged },
            Ok(shares) => {
                let worst = shares.into_iter().reduce(|a, b| if b.0 < a.0 { b } else { a });
                let Some((share, evidence)) = worst else {
                    return Judgement::no_data(
                        limit,
                        "no whole second with contact lies in its span",
                    );
                };
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

    fn time_limit(&self, theta: Us) -> Option<Us> {
        Some(theta)
    }
}

impl Goodput {
    /// Share of the baseline in each span, with its evidence.
    fn shares(&self, run: &Evidence<'_>) -> Result<Vec<(f64, String)>, Box<Judgement>> {
        let no_data = |why: String| Box::new(Judgement::no_data(String::new(), why));
        let not_applicable = |why: &str| Box::new(Judgement::not_applicable(String::new(), why));
        let Some(baseline) = run.facts.baseline() else {
            return Err(no_data("the plan has no steady phase".to_owned()));
        };
        if run.found.happened.windows.is_empty() && self.during.is_empty() {
            return Err(match self.of {
                Cohort::Control => not_applicable("no fault is planned, so nobody is beside one"),
                Cohort::All | Cohort::Affected => no_data(
                    "no fault is planned; say with `during` which phases to look at".to_owned(),
                ),
            });
        }
        if run.found.episodes.is_empty()
            && (self.during.is_empty() || !run.found.happened.windows.is_empty())
        {
            return Err(no_data("no fault took effect".to_owned()));
        }
        let mut shares = Vec::new();
        let mut cohorts = self.cohorts(run).map_err(no_data)?;
        if self.of == Cohort::Control {
            // An episode that hits everybody has no control cohort; the others still have theirs.
            cohorts.retain(|cohort| cohort.assets > 0);
            if cohorts.is_empty() {
                return Err(not_applicable(
                    "nobody is unaffected: the fault declares that it hits every asset",
                ));
            }
        }
        if cohorts.iter().any(|cohort| cohort.assets == 0) {
            return Err(no_data("a fault declares that it hits nobody".to_owned()));
        }
        let steady = (
            baseline.start,
            baseline.end.min(run.facts.first_effect().unwrap_or(NEVER) - run.facts.theta),
        );
        for cohort in cohorts {
            let Some(before) = rate(run, cohort.good, steady).filter(|rate| *rate > 0.0) else {
                return Err(no_data("nothing good in the baseline to compare with".to_owned()));
            };
            shares.extend(
                cohort.spans.iter().filter_map(|span| cohort.share(run, before, steady, *span)),
            );
        }
        Ok(shares)
    }

    /// What to compare, per episode.
    fn cohorts<'a>(&self, run: &'a Evidence<'_>) -> Result<Vec<Counted<'a>>, String> {
        let fleet = run.facts.fleet().count();
        let named = self.during.0.iter().map(|name| {
            let phase = run.facts.phases.iter().find(|p| p.name == *name);
            phase
                .map(|p| (p.start, p.end))
                .ok_or_else(|| format!("the run did not reach phase `{name}`"))
        });
        let named = named.collect::<Result<Vec<_>, _>>()?;
        if run.facts.episodes.is_empty() {
            let asked = asked_of(run, |a| !run.facts.assets[a].probe);
            return Ok(vec![Counted {
                good: &run.found.goodput,
                asked,
                assets: fleet,
                spans: named,
            }]);
        }
        let mut cohorts = Vec::new();
        for (e, found) in run.facts.episodes.iter().zip(&run.found.episodes) {
            if e.affected.is_none() && self.of != Cohort::All {
                return Err("the fault does not declare whom it hits".to_owned());
            }
            let span = (e.t_effect, limits(run.facts, e).0.min(run.facts.stop - run.facts.theta));
            let spans = if named.is_empty() { vec![span] } else { named.clone() };
            let hits =
                |a: usize| found.affected.assets.binary_search(&run.facts.assets[a].id).is_ok();
            let (good, assets) = match self.of {
                Cohort::All => (&run.found.goodput, fleet),
                Cohort::Affected => (&found.goodput_affected, found.affected.assets.len()),
                Cohort::Control => (&found.goodput_control, fleet - found.affected.assets.len()),
            };
            let member = |a: usize| match self.of {
                Cohort::All => true,
                Cohort::Affected => hits(a),
                Cohort::Control => !hits(a),
            };
            let asked = asked_of(run, |a| !run.facts.assets[a].probe && member(a));
            cohorts.push(Counted { good, asked, assets, spans });
        }
        Ok(cohorts)
    }
}

impl Counted<'_> {
    /// The span against the baseline, with its evidence. Where planned silence changes what is asked for, each good reading counts as
    /// much as the baseline asked for in its place.
    fn share(
        &self,
        run: &Evidence<'_>,
        before: f64,
        steady: (Us, Us),
        span: (Us, Us),
    ) -> Option<(f64, String)> {
        let good = rate(run, self.good, span)?;
        let (now, contact) = match &self.asked {
            None => (good, ""),
            Some(asked) => {
                let due = rate(run, asked, span).filter(|rate| *rate > 0.0)?;
                (good * rate(run, asked, steady)? / due, " in contact")
            }
        };
        Some((
            now / before,
            format!("{now:.1}/s against {before:.1}/s of {} assets{contact}", self.assets),
        ))
    }
}

/// None for a cohort that is always in contact: what it is asked for is the same at all times.
fn asked_of(run: &Evidence<'_>, of: impl Fn(usize) -> bool) -> Option<Vec<u32>> {
    let silent =
        (0..run.facts.assets.len()).any(|a| of(a) && !run.facts.assets[a].contact.is_empty());
    silent.then(|| asked(run.facts, run.series, of))
}

/// Mean over the whole seconds of the span in which readings are generated and can be decided; `None` without one.
fn rate(run: &Evidence<'_>, counts: &[u32], (from, to): (Us, Us)) -> Option<f64> {
    let to = to.min(run.facts.stop - run.facts.theta);
    let first = usize::try_from((from - run.facts.start + SECOND - 1).div_euclid(SECOND)).ok()?;
    let last = usize::try_from((to - run.facts.start).div_euclid(SECOND)).ok()?;
    let seconds = counts.get(first..last).filter(|seconds| !seconds.is_empty())?;
    Some(seconds.iter().map(|n| f64::from(*n)).sum::<f64>() / seconds.len() as f64)
}
