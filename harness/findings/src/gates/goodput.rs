//! Whether what fell due while something was broken was done in time, against the share that was done before.

use schemars::JsonSchema;
use seams::gate::Rests;
use serde::{Deserialize, Serialize};

use super::{During, Evidence, Gate, Judgement, Relative};
use crate::facts::{NEVER, Us};
use crate::failover::limits;
use crate::format;
use crate::statistics::{Side, clopper_pearson};
use crate::verdict::Verdict;

/// Good live readings over live readings that fell due in the window.
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

/// With fewer readings than this in a window, a share is a matter of chance: the gate goes by its bounds.
const FEW: u64 = 100;

/// Assets judged together, and when.
struct Asked {
    /// By index of the asset.
    members: Vec<bool>,
    spans: Vec<(Us, Us)>,
}

/// Live readings that fell due, and the good ones among them.
#[derive(Clone, Copy)]
struct Counted {
    good: u64,
    due: u64,
}

impl Gate for Goodput {
    fn rests(&self) -> Rests {
        Rests::Goodput { during: self.during.0.clone(), beside_faults: self.of == Cohort::Control }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let limit = format!("at least {}", self.min);
        match self.shares(run) {
            Err(judged) => Judgement { limit, ..*judged },
            Ok(judged) => judged
                .into_iter()
                .max_by(|(a, share_a), (b, share_b)| {
                    a.verdict.cmp(&b.verdict).then(share_b.total_cmp(share_a))
                })
                .map(|(judged, _)| Judgement { limit: limit.clone(), ..judged })
                .unwrap_or_else(|| {
                    Judgement::no_data(limit, "its phases hold no time of a fault's own episode")
                }),
        }
    }

    fn time_limit(&self, theta: Us) -> Option<Us> {
        Some(theta)
    }
}

impl Goodput {
    /// Each cohort in each of its spans, with its share of the baseline's.
    fn shares(&self, run: &Evidence<'_>) -> Result<Vec<(Judgement, f64)>, Box<Judgement>> {
        let no_data = |why: String| Box::new(Judgement::no_data(String::new(), why));
        let not_applicable = |why: &str| Box::new(Judgement::not_applicable(String::new(), why));
        let Some(baseline) = run.facts.baseline() else {
            return Err(no_data("the plan has no steady phase".to_owned()));
        };
        if run.found.happened.windows.is_empty() {
            match self.of {
                Cohort::Control => {
                    return Err(not_applicable("no fault is planned, so nobody is beside one"));
                }
                Cohort::Affected => return Err(no_data("no fault is planned".to_owned())),
                Cohort::All if self.during.is_empty() => {
                    return Err(no_data(
                        "no fault is planned; say with `during` which phases to look at".to_owned(),
                    ));
                }
                Cohort::All => {}
            }
        } else if run.found.episodes.is_empty() {
            return Err(no_data("no fault took effect".to_owned()));
        }
        let mut cohorts = self.cohorts(run).map_err(no_data)?;
        if self.of == Cohort::Control {
            // An episode that hits everybody has no control cohort; the others still have theirs.
            cohorts.retain(|cohort| cohort.members.contains(&true));
            if cohorts.is_empty() {
                return Err(not_applicable(
                    "nobody is unaffected: the fault declares that it hits every asset",
                ));
            }
        }
        if cohorts.iter().any(|cohort| !cohort.members.contains(&true)) {
            return Err(no_data("a fault declares that it hits nobody".to_owned()));
        }
        let first = run.facts.first_effect().unwrap_or(NEVER);
        let steady = (baseline.start, baseline.end.min(first.saturating_sub(run.facts.theta)));
        let judged = cohorts.iter().flat_map(|cohort| {
            let before = cohort.count(run, steady);
            cohort
                .spans
                .iter()
                .map(move |span| self.judge_share(before, cohort.count(run, *span), cohort.size()))
        });
        Ok(judged.collect())
    }

    /// Whom to look at, and when: a cohort of an episode within the span of that episode only, since it is another one's victim in another's.
    fn cohorts(&self, run: &Evidence<'_>) -> Result<Vec<Asked>, String> {
        let named = self.during.0.iter().map(|name| {
            let phase = run.facts.phases.iter().find(|p| p.name == *name);
            phase
                .map(|p| (p.start, p.end))
                .ok_or_else(|| format!("the run did not reach phase `{name}`"))
        });
        let named = named.collect::<Result<Vec<_>, _>>()?;
        let members = |of: &dyn Fn(usize) -> bool| -> Vec<bool> {
            run.facts.assets.iter().enumerate().map(|(a, x)| !x.probe && of(a)).collect()
        };
        if self.of == Cohort::All && !named.is_empty() {
            return Ok(vec![Asked { members: members(&|_| true), spans: named }]);
        }
        let mut cohorts = Vec::new();
        for (e, found) in run.facts.episodes.iter().zip(&run.found.episodes) {
            if e.affected.is_none() && self.of != Cohort::All {
                return Err("the fault does not declare whom it hits".to_owned());
            }
            let (change, fault) = limits(run.facts, e);
            let spans = if named.is_empty() {
                vec![(e.t_effect, change.min(run.facts.end))]
            } else {
                let own = |(a, b): &(Us, Us)| ((*a).max(e.t_effect), (*b).min(fault));
                named.iter().map(own).filter(|(a, b)| a < b).collect()
            };
            let hits =
                |a: usize| found.affected.assets.binary_search(&run.facts.assets[a].id).is_ok();
            let members = members(&|a| match self.of {
                Cohort::All => true,
                Cohort::Affected => hits(a),
                Cohort::Control => !hits(a),
            });
            cohorts.push(Asked { members, spans });
        }
        Ok(cohorts)
    }

    /// One span against the baseline. A share of few readings is judged by its bounds (Clopper-Pearson, each one-sided 95 %).
    fn judge_share(&self, before: Counted, now: Counted, assets: usize) -> (Judgement, f64) {
        let undecided = |why: &str| (Judgement::no_data(String::new(), why), 0.0);
        if before.good == 0 {
            return undecided("nothing good in the baseline to compare with");
        }
        if now.due == 0 {
            return undecided("no reading of its assets fell due in its span");
        }
        let relative = |share: f64| share * before.due as f64 / before.good as f64;
        let share = relative(now.good as f64 / now.due as f64);
        let bad = now.due - now.good;
        let (low, high) = if now.due < FEW {
            let bound = |side| relative(1.0 - clopper_pearson(bad, now.due, side));
            (bound(Side::Upper), bound(Side::Lower))
        } else {
            (share, share)
        };
        let verdict = match () {
            () if low >= self.min.0 => Verdict::Pass,
            () if high < self.min.0 => Verdict::Fail,
            () => Verdict::Inconclusive,
        };
        let why = match (verdict, self.of) {
            (Verdict::Fail, Cohort::Control) => {
                Some("assets that the fault should not touch suffered".to_owned())
            }
            (Verdict::Fail, Cohort::All | Cohort::Affected) => {
                Some("too little got through in time".to_owned())
            }
            (Verdict::Inconclusive, _) => Some(format!(
                "{} due in its span: they allow {low:.3} to {high:.3} x baseline",
                format::count(now.due, "reading was", "readings were")
            )),
            (Verdict::Pass | Verdict::NotApplicable, _) => None,
        };
        let evidence = format!(
            "{} of {} due were good, in the baseline {} of {}, of {}",
            now.good,
            now.due,
            before.good,
            before.due,
            format::count(assets as u64, "asset", "assets")
        );
        let observed = format!("{share:.3} x baseline");
        (Judgement::new(verdict, String::new(), observed, evidence, why), share)
    }
}

impl Asked {
    fn size(&self) -> usize {
        self.members.iter().filter(|member| **member).count()
    }

    /// By `t_ready`, over the judged readings.
    fn count(&self, run: &Evidence<'_>, (from, to): (Us, Us)) -> Counted {
        let mine = run.series.iter().filter(|s| self.members[s.asset]);
        let due = mine.flat_map(|s| &s.readings).filter(|r| from <= r.t_ready && r.t_ready < to);
        due.fold(Counted { good: 0, due: 0 }, |counted, r| Counted {
            good: counted.good + u64::from(run.facts.good(r)),
            due: counted.due + 1,
        })
    }
}
