//! Percentiles of steady phases, with the bounds that the samples allow.

use std::collections::BTreeMap;

use document::units::Time;
use document::within::{DAY, SECOND, US, Within};
use model::ObserverId;
use schemars::JsonSchema;
use seams::gate::{By, Quantile, Rests};
use serde::{Deserialize, Serialize};

use super::outage::micros;
use super::{During, Evidence, Gate, Judgement};
use crate::facts::{ObserverKind, Phase, Us};
use crate::format;
use crate::latency::platform_waits;
use crate::reading::Reading;
use crate::statistics::limit::limit_gates_over;
use crate::statistics::{LimitGate, LimitTest};
use crate::verdict::Verdict;

pub(super) const ACK: &str = "Time until a reading is acked, from the moment it was ready.";
pub(super) const ACK_EXAMPLE: &str = "{max: 250ms, during: baseline, by: shard}";
pub(super) const PLATFORM: &str =
    "Time until an observer shows a reading, from the moment it was ready.";
pub(super) const PLATFORM_EXAMPLE: &str =
    "{max: 2s, observer: log-eu-west, during: [baseline, verify]}";

/// A quantile (in thousandths) of the ack latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AckLatency<const Q: u32> {
    /// At most this at the quantile.
    pub max: Within<Time, US, DAY>,
    /// Steady phases; the baseline unless said otherwise.
    #[serde(default, skip_serializing_if = "During::is_empty")]
    pub during: During,
    /// Gate the worst of these groups instead of all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Period of the slowest clock that shapes latency, such as the slots of an access link; windows are whole multiples of it.
    #[serde(default = "slots")]
    pub clock: Clock,
}

/// A quantile (in thousandths) of the time until one observer shows a reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformLatency<const Q: u32> {
    /// At most this at the quantile.
    pub max: Within<Time, US, DAY>,
    /// An observer that keeps every reading.
    pub observer: String,
    /// Steady phases; the baseline unless said otherwise.
    #[serde(default, skip_serializing_if = "During::is_empty")]
    pub during: During,
    /// Gate the worst of these groups instead of all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// Period of the slowest clock that shapes latency; windows are whole multiples of it.
    #[serde(default = "slots")]
    pub clock: Clock,
}

/// Windows are made of whole seconds.
type Clock = Within<Time, SECOND, DAY, SECOND>;

/// Satellite links are re-drawn every 15 s.
fn slots() -> Clock {
    Within::given(Time(std::time::Duration::from_secs(15)))
}

impl<const Q: u32> Gate for AckLatency<Q> {
    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let limit = limit(Q, *self.max);
        let ask =
            Ask { during: &self.during, max: *self.max, q: Q, by: self.by, clock: *self.clock };
        let waits = |phase| run.facts.in_phase(phase).map(|r| (r, r.ack_latency())).collect();
        ask.judge(run, limit, waits, |stream| run.facts.streams[stream].required)
    }

    fn rests(&self) -> Rests {
        quantile(Q, &self.during, self.by, *self.clock, None)
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(*self.max))
    }
}

impl<const Q: u32> Gate for PlatformLatency<Q> {
    fn judge(&self, run: &Evidence<'_>) -> Judgement {
        let (limit, facts) = (limit(Q, *self.max), run.facts);
        let Some(o) = facts.observers.iter().find(|o| {
            o.name == self.observer && o.kind.keeps_everything() && o.kind != ObserverKind::ReadBack
        }) else {
            return Judgement::no_data(
                limit,
                format!("no observer `{}` keeps every reading", self.observer),
            );
        };
        let ask =
            Ask { during: &self.during, max: *self.max, q: Q, by: self.by, clock: *self.clock };
        let waits = |phase| platform_waits(facts, o, phase).collect();
        ask.judge(run, limit, waits, |stream| o.takes[facts.streams[stream].fleet])
    }

    fn rests(&self) -> Rests {
        quantile(Q, &self.during, self.by, *self.clock, Some(self.observer.as_str().into()))
    }

    fn time_limit(&self, _theta: Us) -> Option<Us> {
        Some(micros(*self.max))
    }
}

fn quantile(
    q: u32,
    during: &During,
    by: Option<By>,
    clock: Time,
    shown_by: Option<ObserverId>,
) -> Rests {
    let (q, during, clock) = (f64::from(q) / 1e3, during.0.clone(), clock.0);
    Rests::Quantile(Quantile { q, during, by, clock, shown_by })
}

fn limit(q: u32, max: Time) -> String {
    format!("{}% within {}", f64::from(q) / 10.0, format::duration(micros(max)))
}

/// What both kinds ask.
struct Ask<'a> {
    during: &'a During,
    max: Time,
    q: u32,
    by: Option<By>,
    clock: Time,
}

impl Ask<'_> {
    fn judge<'a>(
        &self,
        run: &'a Evidence<'_>,
        limit: String,
        waits: impl Fn(&'a Phase) -> Vec<(&'a Reading, Us)>,
        is_asked: impl Fn(usize) -> bool,
    ) -> Judgement {
        let phases = match phases(run, self.during) {
            Ok(phases) => phases,
            Err(why) => return Judgement::no_data(limit, why),
        };
        let clock = micros(self.clock);
        if clock < 1_000_000 || clock % 1_000_000 != 0 {
            return Judgement::no_data(limit, "its clock is not a whole number of seconds");
        }
        let mut groups = BTreeMap::new();
        for phase in &phases {
            let g = LimitGate {
                phase,
                limit: micros(self.max),
                q: f64::from(self.q) / 1e3,
                by: self.by,
                clock,
            };
            let tests = limit_gates_over(run.facts, &g, waits(phase).into_iter(), &is_asked);
            let name = |group: &String| {
                if phases.len() > 1 { format!("{} {group}", phase.name) } else { group.clone() }
            };
            groups.extend(tests.iter().map(|(group, test)| (name(group), test.clone())));
        }
        conclude(limit, groups)
    }
}

/// The named phases, the baseline without a name; a percentile over a window that holds an outage says nothing.
fn phases<'a>(run: &'a Evidence<'_>, during: &During) -> Result<Vec<&'a Phase>, String> {
    if during.is_empty() {
        return run
            .facts
            .baseline()
            .map(|p| vec![p])
            .ok_or_else(|| "the plan has no steady phase".to_owned());
    }
    let find = |name: &String| {
        let phase = run
            .facts
            .phases
            .iter()
            .find(|p| p.name == *name)
            .ok_or_else(|| format!("the run did not reach phase `{name}`"))?;
        if phase.steady {
            Ok(phase)
        } else {
            Err(format!("phase `{name}` holds a fault or its aftermath; gate its outage instead"))
        }
    };
    during.0.iter().map(find).collect()
}

/// The worst group is the gate; `say` repeats this after Holm's correction.
pub(crate) fn conclude(limit: String, groups: BTreeMap<String, LimitTest>) -> Judgement {
    let Some((name, worst)) = groups
        .iter()
        .max_by(|a, b| severity(a.1).partial_cmp(&severity(b.1)).expect("shares are numbers"))
    else {
        return Judgement::no_data(limit, "no reading was due");
    };
    let of = if groups.len() > 1 {
        format!("worst of {} groups, {name}: ", groups.len())
    } else {
        String::new()
    };
    let (observed, evidence) = match &worst.sample {
        None => ("-".to_owned(), of),
        Some(s) => (
            format!("{:.3}% slower", 100.0 * s.k as f64 / s.n.max(1) as f64),
            format!(
                "{of}{} of {}, worth {} (design effect {:.1}); true share {:.3}% to {:.3}%",
                s.k,
                s.n,
                s.n_eff,
                s.deff,
                100.0 * s.lower,
                100.0 * s.upper
            ),
        ),
    };
    let why = match worst.verdict {
        Verdict::NotApplicable | Verdict::Pass => None,
        Verdict::Fail => Some("more readings are slower than the limit allows".to_owned()),
        Verdict::Inconclusive => Some(worst.why.map_or_else(
            || "the samples allow both; more readings are needed".to_owned(),
            |why| why.to_string(),
        )),
    };
    Judgement { verdict: worst.verdict, limit, observed, evidence, why, groups }
}

/// The worst verdict, then the largest share that is possible.
fn severity(t: &LimitTest) -> (Verdict, f64) {
    (t.verdict, t.sample.as_ref().map_or(1.0, |s| s.upper))
}
