//! Section 3: what a fault did to the service, and when that was over. One file per mark.

pub(crate) mod affected;
pub(crate) mod baseline;
pub(crate) mod by_heal;
pub(crate) mod rto;
pub(crate) mod service;
pub(crate) mod timeline;

use serde::{Deserialize, Serialize};

use crate::facts::{ChangeKind, Episode, Facts, NEVER, Us};

/// How a mark was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    Measured,
    /// Only once the fault was gone: no failover.
    RecoveredByHeal,
    /// Not within the run, or only after the next episode's fault.
    BeyondObserved,
    /// Everybody was due and nobody went above the share: never printed as a measured 0.
    NoOutage,
    /// Too little was due, or asked, to say anything.
    NotDecidable,
}

/// Limits of an episode after its effect: the next planned change, and the next fault of another episode; `NEVER` without one.
pub(crate) fn limits(facts: &Facts, e: &Episode) -> (Us, Us) {
    let later = || facts.changes.iter().filter(|c| c.t > e.t_effect && !c.same_episode);
    let change = later().map(|c| c.t).min().unwrap_or(NEVER);
    let fault = later().filter(|c| c.kind == ChangeKind::Fault).map(|c| c.t).min().unwrap_or(NEVER);
    (change, fault)
}

/// What to print: `recovered` is when service was seen again (`NEVER`: not), `value` the moment of the mark. Returns how it was
/// reached, the value since the effect, and the lower bound since the effect.
fn judged_end(
    facts: &Facts,
    e: &Episode,
    recovered: Us,
    value: Us,
) -> (Reached, Option<Us>, Option<Us>) {
    let limit = limits(facts, e).1.min(facts.end);
    if recovered >= limit {
        return (Reached::BeyondObserved, None, Some(limit - e.t_effect));
    }
    let by_heal = e.t_heal.is_some_and(|heal| recovered >= heal);
    let reached = if by_heal { Reached::RecoveredByHeal } else { Reached::Measured };
    (reached, Some(value - e.t_effect), None)
}
