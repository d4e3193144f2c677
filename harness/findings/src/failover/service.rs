//! `rto.service`: last `t_ready` of a not-good reading of any asset or probe of a shard, before the next planned change or in an
//! outage that crosses it.

use serde::{Deserialize, Serialize};

use super::{Reached, judged_end, limits};
use crate::facts::{Episode, Facts, NEVER, Us};
use crate::outage::Series;
use crate::reading::Reading;

/// Recovery time of one shard, whoever uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRto {
    pub reached: Reached,
    /// Since the effect; none unless reached.
    pub value: Option<Us>,
    /// Lower bound where it was not reached.
    pub at_least: Option<Us>,
    /// It reads low by at most this: the time to the first ack of a later reading of the same stream.
    pub resolution: Option<Us>,
    /// A gated reading of the shard was due between the effect and the next planned change: else its silence says nothing.
    #[serde(default)]
    pub asked: bool,
}

impl ServiceRto {
    /// Service was back by then: the first ack of a reading that is later than the last not-good one. What people read, since the value itself
    /// is short by up to theta.
    #[must_use]
    pub fn high(&self) -> Option<Us> {
        Some(self.value? + self.resolution?)
    }
}

/// `series` are those of the shard.
pub(crate) fn rto_service(facts: &Facts, e: &Episode, series: &[&Series<'_>]) -> ServiceRto {
    let change = limits(facts, e).0;
    let (mut last, mut back, mut due, mut asked) = (None, Us::MIN, false, false);
    for stream in facts.gated() {
        let mine: Vec<&Reading> = series
            .iter()
            .filter(|s| s.stream == stream)
            .flat_map(|s| s.readings.iter().copied())
            .filter(|r| r.t_ready >= e.t_effect - facts.theta)
            .collect();
        due |= !mine.is_empty();
        asked |= mine.iter().any(|r| e.t_effect <= r.t_ready && r.t_ready < change);
        if let Some((bad, ack)) = stream_end(facts, &mine, change) {
            last = last.max(Some(bad));
            back = back.max(ack);
        }
    }
    let Some(last) = last else {
        let reached = if due { Reached::NoOutage } else { Reached::NotDecidable };
        return ServiceRto { reached, value: None, at_least: None, resolution: None, asked };
    };
    let (reached, value, at_least) = judged_end(facts, e, back, last);
    let resolution = (back < NEVER).then(|| back - last);
    ServiceRto { reached, value, at_least, resolution, asked }
}

/// The last not-good reading of one stream, and the first ack of a later one (`NEVER`: none); `None` where all were good.
fn stream_end(facts: &Facts, readings: &[&Reading], change: Us) -> Option<(Us, Us)> {
    let bad = || readings.iter().filter(|r| !facts.good(r)).map(|r| r.t_ready);
    let before = bad().filter(|t| *t < change).max()?;
    let later = readings.iter().filter(|r| r.t_ready > before && facts.good(r)).map(|r| r.t_acked);
    let ack = later.min().unwrap_or(NEVER);
    Some((bad().filter(|t| *t < change.max(ack)).max()?, ack))
}
