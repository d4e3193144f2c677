//! What the worst of N drills says about the next one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::Us;

/// N repetitions of a drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    pub n: u64,
    /// The largest figure; a drill without one leaves no maximum.
    pub max: Option<Us>,
    /// Share of drills that lies within the maximum, at 95 %.
    pub at_least_within_max: f64,
    /// Share of bad drills that N good ones still allow, at 95 %.
    pub bad_share_allowed: f64,
    /// Confidence that the maximum bounds the quantile: `1 - q^N`.
    pub confidence: BTreeMap<String, f64>,
}

/// `None` without a drill.
#[must_use]
pub fn trials(values: &[Option<Us>]) -> Option<Trials> {
    let n = values.len();
    let share = 0.05f64.powf(1.0 / n as f64);
    let confidence = [("p50", 0.5), ("p80", 0.8), ("p90", 0.9), ("p95", 0.95f64)];
    (n > 0).then(|| Trials {
        n: n as u64,
        max: values
            .iter()
            .copied()
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max()),
        at_least_within_max: share,
        bad_share_allowed: 1.0 - share,
        confidence: confidence
            .iter()
            .map(|(name, q)| ((*name).to_owned(), 1.0 - q.powi(n as i32)))
            .collect(),
    })
}
