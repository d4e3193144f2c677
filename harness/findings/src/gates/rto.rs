//! How long until service was back after a fault.

use document::units::{Share, Time};
use document::within::Within;
use schemars::JsonSchema;
use seams::gate::{Recovers, Rests};
use serde::{Deserialize, Serialize};

use super::outage::micros;
use super::{Evidence, Gate, Judgement};
use crate::facts::{Episode, Observer, ObserverKind, Us};
use crate::failover::Reached;
use crate::failover::affected::{affected, with_path};
use crate::failover::rto::rto;
use crate::format;
use crate::freshness::stale_outages;
use crate::outage::Out;
use crate::outage_share::share_out;
use crate::verdict::Verdict;

/// Of several faults in one run, which one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stat {
    /// The slowest.
    #[default]
    Max,
}

/// Recovery of the affected assets with a surviving path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RtoMax {
    /// Longer than this fails.
    pub max: Time,
    /// Share of the assets that must be back: one stray asset must not decide a fleet's figure.
    #[serde(default = "nearly_all")]
    pub of_assets: OfAssets,
    #[serde(default)]
    pub stat: Stat,
}

/// Recovery of what an observer shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RtoFresh {
    /// Longer than this fails.
    pub max: Time,
    /// Share of the assets that must be fresh again.
    #[serde(default = "nearly_all")]
    pub of_assets: OfAssets,
    /// Whose view; the systems of record unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observer: Option<String>,
}

/// Recovery of the service itself: the slowest shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RtoService {
    /// Longer than this fails.
    pub max: Time,
}

/// Whole basis points: a gate on the recovery of nobody could not fail.
type OfAssets = Within<Share, 100, 1_000_000, 100>;

fn nearly_all() -> OfAssets {
    Within::given(Share(990_000))
}

/// One measured recovery, whatever of.
struct Mark {
    reached: Reached,
    us: Us,
    /// Where the mark is an interval: its lower end, which is no recovery yet.
    low: Us,
    /// Why nobody was good before the heal, where that is known.
    by_heal: Option<String>,
    what: String,
    /// How many assets it is made of.
    assets: usize,
}

impl Gate for RtoMax {
    fn rests(&self) -> Rests {
        Rests::Recovery { max: self.max.0, of: Recovers::Assets }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let everybody = |_: usize| true;
        let episodes = run.facts.episodes.iter().zip(&run.found.episodes);
        let marks = episodes.map(|(e, found)| Mark {
            by_heal: found.by_heal.as_ref().map(ToString::to_string),
            ..mark(run, e, run.out, *self.of_assets, everybody)
        });
        judge(run, self.max, marks.collect())
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(self.max))
    }
}

impl Gate for RtoFresh {
    fn rests(&self) -> Rests {
        Rests::Recovery { max: self.max.0, of: Recovers::Assets }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let facts = run.facts;
        let asked = |o: &&Observer| match &self.observer {
            Some(name) => o.name == *name,
            None => o.kind == ObserverKind::SystemOfRecord,
        };
        let observers: Vec<&Observer> = facts.observers.iter().filter(asked).collect();
        if observers.is_empty() {
            return Judgement::no_data(
                super::at_most(format::duration(micros(self.max))),
                "there is no such observer",
            );
        }
        let mut marks = Vec::new();
        for o in observers {
            let stale = stale_outages(facts, o);
            let takes = |asset: usize| o.takes[facts.assets[asset].fleet];
            let mine = facts.episodes.iter().map(|e| mark(run, e, &stale, *self.of_assets, takes));
            marks.extend(
                mine.map(|mark| Mark { what: format!("{} at {}", mark.what, o.name), ..mark }),
            );
        }
        // Of several systems of record, one that none of the affected assets gets to has nothing to say.
        if marks.iter().any(|mark| mark.assets > 0) {
            marks.retain(|mark| mark.assets > 0);
        }
        judge(run, self.max, marks)
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(self.max))
    }
}

impl Gate for RtoService {
    fn rests(&self) -> Rests {
        Rests::Recovery { max: self.max.0, of: Recovers::Service }
    }

    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let shards = run.found.episodes.iter().flat_map(|e| &e.rto_service);
        let marks = shards.map(|(shard, x)| {
            let low = x.value.or(x.at_least).unwrap_or(0);
            Mark {
                // A shard of which nobody asked for anything is not known to have had no outage.
                reached: match x.reached {
                    Reached::NoOutage if !x.asked => Reached::NotDecidable,
                    reached => reached,
                },
                us: x.high().unwrap_or(low),
                low,
                by_heal: None,
                what: format!("shard {shard}, not back before {}", format::duration(low)),
                assets: 0,
            }
        });
        judge(run, self.max, marks.collect())
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(self.max))
    }
}

/// RTO of an episode, over those of the affected assets with a path that `takes` names.
fn mark(
    run: &Evidence<'_>,
    e: &Episode,
    out: &[Vec<Out>],
    of_assets: Share,
    takes: impl Fn(usize) -> bool,
) -> Mark {
    let basis_points = u64::from(1_000_000u32.saturating_sub(of_assets.0)) / 100;
    let hit = affected(run.facts, run.series, e);
    let judges: Vec<usize> = with_path(&hit, e).into_iter().filter(|a| takes(*a)).collect();
    let u = share_out(run.facts, out, judges.iter().copied());
    let x = rto(run.facts, e, run.series, &u, &judges, basis_points);
    let cohort = if e.affected.is_some() {
        "affected assets with a path"
    } else {
        "assets that missed theta"
    };
    let relapses = if x.relapses > 0 {
        format!(", {}", format::count(x.relapses, "relapse", "relapses"))
    } else {
        String::new()
    };
    let what = format!("{}% of {} {cohort}{relapses}", of_assets.as_f64() * 100.0, judges.len());
    let us = x.value.or(x.at_least).unwrap_or(0);
    Mark { reached: x.reached, us, low: us, by_heal: None, what, assets: judges.len() }
}

/// The worst mark decides.
fn judge(run: &Evidence<'_>, max: Time, marks: Vec<Mark>) -> Judgement {
    let max = micros(max);
    let limit = super::at_most(format::duration(max));
    let verdict = |m: &Mark| match m.reached {
        Reached::NoOutage => Verdict::Pass,
        Reached::Measured if m.us <= max => Verdict::Pass,
        Reached::Measured if m.low > max => Verdict::Fail,
        Reached::Measured | Reached::NotDecidable => Verdict::Inconclusive,
        Reached::RecoveredByHeal | Reached::BeyondObserved => Verdict::Fail,
    };
    let Some(worst) = marks.iter().max_by_key(|m| (verdict(m), m.us)) else {
        return Judgement::no_data(limit, "no fault took effect");
    };
    let (observed, why) = match worst.reached {
        Reached::Measured => {
            let why = match verdict(worst) {
                Verdict::Pass | Verdict::NotApplicable => None,
                Verdict::Fail => Some("recovered too late".to_owned()),
                Verdict::Inconclusive => Some(format!(
                    "came back between {} and {}; a probe every {} would tell",
                    format::duration(worst.low),
                    format::duration(worst.us),
                    format::duration((max / 10).max(50_000))
                )),
            };
            (format::duration(worst.us), why)
        }
        Reached::RecoveredByHeal => {
            let more = worst.by_heal.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let why = format!("came back only once the fault was gone{more}");
            (format::duration(worst.us), Some(why))
        }
        Reached::BeyondObserved => (
            format!("> {}", format::duration(worst.us)),
            Some("did not come back while observed".to_owned()),
        ),
        Reached::NoOutage => ("no outage above the share".to_owned(), None),
        Reached::NotDecidable => (
            "-".to_owned(),
            Some("no affected asset, or one without a reading due after the effect".to_owned()),
        ),
    };
    let evidence =
        format!("{}; period {}", worst.what, format::duration(run.facts.slowest_gated()));
    Judgement::new(verdict(worst), limit, observed, evidence, why)
}
