//! Section 4: readings seen at more than one position, by observers that keep every reading.

use model::Identity;
use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Observer};

/// Extra copies; a re-read of one position is no copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// At most attempts - 1 per reading: what a retry after an unknown outcome leaves.
    pub explained: u64,
    pub unexplained: u64,
    /// Every reading with an extra copy, in order of identity.
    pub duplicated: Vec<Identity>,
    /// Those with a copy that no retry explains.
    pub unexplained_of: Vec<Identity>,
}

pub(crate) fn duplicates(facts: &Facts, o: &Observer) -> Duplicates {
    let mut total = Duplicates::default();
    for (i, r) in facts.readings.iter().enumerate().filter(|(_, r)| !facts.is_probe(r)) {
        let seen = o.sightings.of(i);
        if seen.len() < 2 {
            continue;
        }
        let mut positions: Vec<i64> = seen.iter().filter_map(|s| s.at).collect();
        positions.sort_unstable();
        positions.dedup();
        let without = seen.iter().filter(|s| s.at.is_none()).count();
        let extra = (positions.len() + without - 1) as u64;
        let by_retry = extra.min(u64::from(r.attempts.saturating_sub(1)));
        total.explained += by_retry;
        total.unexplained += extra - by_retry;
        total.duplicated.extend((extra > 0).then(|| facts.identity(r)));
        total.unexplained_of.extend((extra > by_retry).then(|| facts.identity(r)));
    }
    total
}
