//! Sections 1 and 4: exactly one class per reading and observer. `lost` may be said only when the observer passed the reading.

use std::collections::BTreeMap;

use model::ledger::Fate;
use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Observer, SECOND, Us};
use crate::reading::Reading;

/// What became of a reading; the first that holds, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Observed,
    /// Acked, and absent although the observer got past its place.
    AckedLost,
    /// Acked and not seen, by an observer that may only be slow.
    Unseen,
    DroppedAtAsset,
    Rejected,
    /// The asset gave up on it.
    UnackedLost,
    /// No final outcome at the end.
    Pending,
}

/// A quiet observer has shown everything: no new observation for max(10 s, 3 x poll).
const QUIET: Us = 10 * SECOND;

/// The class of each reading, by index.
pub(crate) fn classes(facts: &Facts, o: &Observer) -> Vec<Class> {
    let newest = o.sightings.all().iter().map(|s| s.t).max().unwrap_or(facts.start);
    let silent = facts.end - newest >= QUIET.max(3 * o.poll);
    let class = |(i, r): (usize, &Reading)| match r.fate {
        _ if !o.sightings.of(i).is_empty() => Class::Observed,
        Fate::Acked if may_say_lost(facts, o, r, silent) => Class::AckedLost,
        Fate::Acked => Class::Unseen,
        Fate::Dropped => Class::DroppedAtAsset,
        Fate::Refused => Class::Rejected,
        Fate::Unknown => Class::UnackedLost,
        Fate::Pending => Class::Pending,
    };
    facts.readings.iter().enumerate().map(class).collect()
}

/// Has the observer passed the reading's own position, or the system's own end, or (without positions) fallen silent?
fn may_say_lost(facts: &Facts, o: &Observer, r: &Reading, silent: bool) -> bool {
    let Some(passed) = &o.passed else { return silent };
    let shard = facts.assets[r.asset as usize].shard;
    let last = passed.get(shard).copied().unwrap_or(-1);
    last >= o.head.get(shard).copied().unwrap_or(-1) || (r.ack_pos >= 0 && last >= r.ack_pos)
}

/// How many readings each class has; classes without one are left out.
pub(crate) fn counts(classes: &[Class]) -> BTreeMap<Class, u64> {
    let mut counts = BTreeMap::new();
    for class in classes {
        *counts.entry(*class).or_default() += 1;
    }
    counts
}
