//! Section 4: reordering by the rule of RFC 4737 on first arrivals per (asset, stream, boot), and the gaps that later arrivals open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Observer, Us};

/// Order of arrival at one observer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Arrivals with a smaller sequence number than one that came before.
    pub reordered: u64,
    /// Gaps that all of it filled later.
    pub gaps_closed_late: u64,
    pub gaps_never_closed: u64,
    /// Readings of the gaps that never closed.
    pub missing: u64,
    /// `asset/stream/boot` of those with reordered arrivals.
    pub by: BTreeMap<String, u64>,
}

pub(crate) fn order(facts: &Facts, o: &Observer) -> Order {
    let mut total = Order::default();
    let mut first = 0;
    for mine in
        facts.readings.chunk_by(|a, b| (a.asset, a.stream, a.boot) == (b.asset, b.stream, b.boot))
    {
        let arrival =
            |i: usize| o.sightings.of(first + i).iter().map(|s| (s.t, s.at.unwrap_or(-1))).min();
        let mut arrivals: Vec<((Us, i64), u64)> =
            mine.iter().enumerate().filter_map(|(i, r)| Some((arrival(i)?, r.seq))).collect();
        let present: Vec<u64> = arrivals.iter().map(|(_, seq)| *seq).collect();
        arrivals.sort_unstable();
        first += mine.len();
        if !facts.takes(o, &mine[0]) || facts.is_probe(&mine[0]) {
            continue;
        }
        let swapped = total.add(mine[0].seq, &arrivals, &present);
        if swapped > 0 {
            let id = facts.identity(&mine[0]);
            total.by.insert(format!("{}/{}/{}", id.asset, id.stream, id.boot), swapped);
        }
    }
    total
}

impl Order {
    /// One series: its smallest sequence number, its arrivals in order of time, the sequence numbers that came at all (sorted).
    fn add(&mut self, mut expected: u64, arrivals: &[((Us, i64), u64)], present: &[u64]) -> u64 {
        let mut swapped = 0;
        for (_, seq) in arrivals {
            if *seq < expected {
                swapped += 1;
                continue;
            }
            if *seq > expected {
                let came = present.partition_point(|s| s < seq)
                    - present.partition_point(|s| *s < expected);
                let missing = seq - expected - came as u64;
                self.gaps_never_closed += u64::from(missing > 0);
                self.gaps_closed_late += u64::from(missing == 0);
                self.missing += missing;
            }
            expected = seq + 1;
        }
        self.reordered += swapped;
        swapped
    }
}
