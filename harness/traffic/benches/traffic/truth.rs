//! What latencies were: from the schedule, which is a function of the plan, and from the server's own stamps.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::{Context, Result, ensure};
use model::Identity;
use run::Loaded;

use crate::{ours::Found, peers::QUANTILES};

/// Quantiles in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latencies {
    pub(crate) ms: [f64; 5],
}

pub(crate) struct Truth {
    /// By our own ledger, from the intended time to the ack.
    pub(crate) said: Latencies,
    /// From the intended time to the server's first answer.
    pub(crate) was: Latencies,
    /// Readings that the server never answered.
    pub(crate) unanswered: usize,
}

impl Truth {
    pub(crate) fn of(found: &Found, stamps: &Path) -> Result<Self> {
        let answered = answers(stamps)?;
        let loaded = Loaded::open(&found.folder).context("failed to read the run")?;
        let (mut said, mut was, mut unanswered) = (vec![], vec![], 0);
        for row in loaded.rows(0)? {
            let row = row?;
            let intended = row.ready;
            if let Some(acked) = row.acked {
                said.push(acked.0 - intended.0);
            }
            match answered.get(&row.identity) {
                None => unanswered += 1,
                Some(at_ns) => {
                    let at =
                        i64::try_from(at_ns / 1_000)? - i64::try_from(found.origin_ns / 1_000)?;
                    was.push(at - intended.0);
                }
            }
        }
        Ok(Self { said: Latencies::of(said)?, was: Latencies::of(was)?, unanswered })
    }
}

/// When each reading was answered first, in nanoseconds of CLOCK_MONOTONIC.
fn answers(stamps: &Path) -> Result<BTreeMap<Identity, u64>> {
    let text = std::fs::read_to_string(stamps).context("failed to read the server's stamps")?;
    let mut answered = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<u64> = line.split(',').map_while(|field| field.parse().ok()).collect();
        let [_run, asset, stream, boot, seq, _attempt, at_ns] = fields[..] else {
            anyhow::bail!("`{line}` is no stamp");
        };
        let identity = Identity {
            asset: asset.try_into()?,
            stream: stream.try_into()?,
            boot: boot.try_into()?,
            seq,
        };
        answered.entry(identity).or_insert(at_ns);
    }
    Ok(answered)
}

impl Latencies {
    fn of(mut us: Vec<i64>) -> Result<Self> {
        ensure!(!us.is_empty(), "nothing was answered");
        us.sort_unstable();
        let last = us.len() - 1;
        Ok(Self { ms: QUANTILES.map(|q| us[(last as f64 * q).round() as usize] as f64 / 1e3) })
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = QUANTILES
            .iter()
            .zip(self.ms)
            .map(|(q, ms)| format!("p{} {ms:.1}", q * 100.0))
            .collect();
        f.write_str(&all.join(", "))
    }
}
