//! Section 6: what the user demands. One file per family, one line per kind.
//!
//! A gate looks at what was found and says pass, fail or inconclusive with its evidence; it is never silent and never dropped. It says
//! not applicable only where the plan declares that there is nobody to judge. Absent: what voids a whole run (`voids`), and the
//! correction over all statistical gates (`judge`).

mod copies;
mod delivered;
mod goodput;
mod latency;
mod loss;
mod outage;
mod params;
mod rto;
mod stack;

use std::collections::BTreeMap;
use std::fmt;

use model::KindSpec;
use seams::catalog::{Catalog, Kind, Params, stored};
use seams::gate::Rests;
use serde_json::Value;

pub use self::copies::{TimeTravelMax, UnexplainedDuplicates};
pub use self::delivered::DeliveredMin;
pub use self::goodput::{Cohort, Goodput};
pub use self::latency::{AckLatency, PlatformLatency};
pub use self::loss::{AckedLost, AckedLostAfterEffect, Corrupt};
pub use self::outage::{AssetSecondsLost, OutageLongest, StuckAssets};
pub use self::params::{During, Relative};
pub use self::rto::{RtoFresh, RtoMax, RtoService, Stat};
pub use self::stack::{Redundant, UnexpectedExits};
use crate::facts::{Facts, Us};
use crate::findings::Findings;
use crate::outage::{Out, Series, asset_outages, judged};
use crate::statistics::{LimitTest, holm};
use crate::verdict::Verdict;

/// What a gate may look at.
#[derive(Debug)]
pub struct Evidence<'a> {
    pub facts: &'a Facts,
    pub found: &'a Findings,
    pub(crate) series: &'a [Series<'a>],
    pub(crate) out: &'a [Vec<Out>],
}

/// A demand. Its parameters are the gate.
pub trait Gate: fmt::Debug + Send + Sync {
    /// What the run shows about it.
    fn judge(&self, run: &Evidence<'_>) -> Judgement;

    /// What a run must bring for that: `plan` promises by it.
    fn rests(&self) -> Rests;

    /// For gates that count in time: the shortest time, in microseconds, that their verdict turns on, beside which the harness's own
    /// lateness must be small. That is their limit, or `theta`, which is how long a reading may take and still be good.
    fn time_limit(&self, theta: Us) -> Option<Us> {
        let _ = theta;
        None
    }

    /// Whether a socket that the harness did not get can change the verdict: readings that never left are late, and never arrive.
    fn needs_sockets(&self, theta: Us) -> bool {
        self.time_limit(theta).is_some()
    }
}

/// What one gate says.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// The demand, such as `at most 60 s`.
    pub limit: String,
    /// What was seen, `-` where nothing could be.
    pub observed: String,
    /// What the observed value rests on: samples, cohort, resolution.
    pub evidence: String,
    /// Why it is not a pass.
    pub why: Option<String>,
    /// Statistical tests, by group; the worst is the gate.
    pub groups: BTreeMap<String, LimitTest>,
}

impl Judgement {
    pub(crate) fn new(
        verdict: Verdict,
        limit: String,
        observed: String,
        evidence: String,
        why: Option<String>,
    ) -> Self {
        Self { verdict, limit, observed, evidence, why, groups: BTreeMap::new() }
    }

    /// Nothing to judge by.
    pub(crate) fn no_data(limit: String, why: impl Into<String>) -> Self {
        Self::new(Verdict::Inconclusive, limit, "-".to_owned(), String::new(), Some(why.into()))
    }

    /// The plan declares that there is nobody to judge.
    pub(crate) fn not_applicable(limit: String, why: impl Into<String>) -> Self {
        Self::new(Verdict::NotApplicable, limit, "-".to_owned(), String::new(), Some(why.into()))
    }

    /// A pass needs somebody who looked: `unseen` says what nobody could see.
    pub(crate) fn unless_unseen(self, unseen: Option<impl fmt::Display>) -> Self {
        match unseen {
            Some(why) if self.verdict == Verdict::Pass => {
                Self { verdict: Verdict::Inconclusive, why: Some(why.to_string()), ..self }
            }
            _ => self,
        }
    }

    /// A count against its maximum, known exactly.
    pub(crate) fn count(
        count: u64,
        max: u64,
        evidence: String,
        why: impl FnOnce() -> String,
    ) -> Self {
        let fails = count > max;
        let verdict = if fails { Verdict::Fail } else { Verdict::Pass };
        Self::new(verdict, at_most(max), count.to_string(), evidence, fails.then(why))
    }
}

/// What each gate says, with the correction over all statistical ones.
pub(crate) fn say(facts: &Facts, found: &Findings, gates: &[&dyn Gate]) -> Vec<Judgement> {
    let series = judged(facts);
    let out = asset_outages(facts, &series);
    let run = Evidence { facts, found, series: &series, out: &out };
    let mut said: Vec<Judgement> = gates.iter().map(|gate| gate.judge(&run)).collect();
    holm(said.iter_mut().flat_map(|j| j.groups.values_mut()).collect());
    let conclude =
        |j: Judgement| if j.groups.is_empty() { j } else { latency::conclude(j.limit, j.groups) };
    said.into_iter().map(conclude).collect()
}

pub(crate) fn at_most(max: impl fmt::Display) -> String {
    format!("at most {max}")
}

pub type MakeGate = fn(&Value) -> Result<Box<dyn Gate>, serde_json::Error>;

const fn gate<P: Params + Gate + 'static>(
    name: &'static str,
    about: &'static str,
    example: &'static str,
) -> Kind<MakeGate> {
    Kind::new::<P>(name, about, example, |params| Ok(Box::new(stored::<P>(params)?)))
}

/// Every gate kind. A scalar gate is its limit: `max`, for goodput `min`.
pub static CATALOG: Catalog<MakeGate> = Catalog {
    noun: "gate",
    kinds: &[
        gate::<AckedLost>("acked_lost", "Readings that were acked and are nowhere.", "{max: 0}"),
        gate::<AckedLostAfterEffect>(
            "acked_lost.after_effect",
            "Readings acked after the fault took effect and lost.",
            "{max: 0}",
        ),
        gate::<AssetSecondsLost>(
            "asset_seconds_lost",
            "Time in outage, summed over all assets, in seconds.",
            "{max: 200000}",
        ),
        gate::<Corrupt>("corrupt", "Readings that came back with another content.", "{max: 0}"),
        gate::<DeliveredMin>(
            "delivered",
            "Readings that are visible at the end, of all that were generated in contact.",
            "{min: 100%}",
        ),
        gate::<UnexplainedDuplicates>(
            "duplicates.unexplained",
            "Copies of readings that no retry explains.",
            "{max: 0}",
        ),
        gate::<Goodput>(
            "goodput",
            "Good readings, of those that fell due, against the baseline's share.",
            "{min: 0.8 x baseline, during: outage, of: control}",
        ),
        gate::<AckLatency<500>>("latency.ack.p50", latency::ACK, latency::ACK_EXAMPLE),
        gate::<AckLatency<900>>("latency.ack.p90", latency::ACK, latency::ACK_EXAMPLE),
        gate::<AckLatency<950>>("latency.ack.p95", latency::ACK, latency::ACK_EXAMPLE),
        gate::<AckLatency<990>>("latency.ack.p99", latency::ACK, latency::ACK_EXAMPLE),
        gate::<AckLatency<999>>("latency.ack.p99.9", latency::ACK, latency::ACK_EXAMPLE),
        gate::<PlatformLatency<500>>(
            "latency.platform.p50",
            latency::PLATFORM,
            latency::PLATFORM_EXAMPLE,
        ),
        gate::<PlatformLatency<900>>(
            "latency.platform.p90",
            latency::PLATFORM,
            latency::PLATFORM_EXAMPLE,
        ),
        gate::<PlatformLatency<950>>(
            "latency.platform.p95",
            latency::PLATFORM,
            latency::PLATFORM_EXAMPLE,
        ),
        gate::<PlatformLatency<990>>(
            "latency.platform.p99",
            latency::PLATFORM,
            latency::PLATFORM_EXAMPLE,
        ),
        gate::<PlatformLatency<999>>(
            "latency.platform.p99.9",
            latency::PLATFORM,
            latency::PLATFORM_EXAMPLE,
        ),
        gate::<OutageLongest>("outage.longest", "The longest outage of any asset.", "{max: 75s}"),
        gate::<Redundant>(
            "redundant",
            "Time until the stack itself says that it is fully redundant again.",
            "{max: 10m, after: failback}",
        ),
        gate::<RtoMax>(
            "rto",
            "Time from the effect of the fault until the affected assets are back.",
            "{max: 60s, of_assets: 99%}",
        ),
        gate::<RtoFresh>(
            "rto.fresh",
            "The same, until what observers show is fresh again.",
            "{max: 90s, of_assets: 99%}",
        ),
        gate::<RtoService>(
            "rto.service",
            "The same, until the service itself answers in time, per shard.",
            "{max: 15s}",
        ),
        gate::<StuckAssets>("stuck_assets", "Assets that are still out at the end.", "{max: 0}"),
        gate::<TimeTravelMax>(
            "time_travel",
            "Times that an observer showed an older value after a newer one.",
            "{max: 0}",
        ),
        gate::<UnexpectedExits>(
            "unexpected_exits",
            "Processes of the stack that ended although nothing asked for it.",
            "{max: 0}",
        ),
    ],
};

/// What a gate of a plan rests on; None for one that this build does not know.
#[must_use]
pub fn rests_on(spec: &KindSpec) -> Option<Rests> {
    let gate = (CATALOG.find(&spec.kind)?.make)(&spec.params).ok()?;
    Some(gate.rests())
}

/// Gates that are on unless the plan has one of the same kind, as (kind, parameters).
#[must_use]
pub fn defaults() -> Vec<(&'static str, Value)> {
    let zero = || serde_json::json!({"max": 0});
    let mut gates: Vec<(&str, Value)> =
        ["acked_lost", "corrupt", "duplicates.unexplained", "stuck_assets", "unexpected_exits"]
            .map(|kind| (kind, zero()))
            .into();
    gates.push(("delivered", serde_json::json!({"min": "100%"})));
    gates.push(("goodput", serde_json::json!({"min": "0.8 x baseline", "of": "control"})));
    gates
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are unique and sorted, examples load, and what was read can be stored and brought to life.
    #[test]
    fn every_kind() {
        let names: Vec<&str> = CATALOG.names().collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        for kind in CATALOG.kinds {
            let (mut problems, mut ids) = (vec![], document::Ids::default());
            let source = document::SourceId(0);
            let node = document::parse(kind.example, source, &mut ids, &mut problems)
                .expect("the example is YAML");
            let params = (kind.read)(&node, &mut problems);
            assert_eq!(problems, [], "{}", kind.name);
            let gate = (kind.make)(&params.expect("an example without problems is read"))
                .expect("stored parameters are read");
            assert!(!format!("{gate:?}").is_empty());
        }
    }

    #[test]
    fn defaults_are_kinds() {
        for (name, params) in defaults() {
            let kind = CATALOG.find(name).expect("a default gate is in the catalog");
            (kind.make)(&params).expect("default parameters are read");
        }
    }
}
