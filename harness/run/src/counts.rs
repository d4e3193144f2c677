//! `counters.jsonl`: what happened second by second.

use std::{collections::BTreeMap, path::PathBuf};

use model::{FleetId, Micros, RegionId};
use serde::{Deserialize, Serialize};

use crate::{RunError, lines};

/// One line: a source's second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// End of the second.
    pub at: Micros,
    pub of: Counted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// The assets of a fleet with this home. The first five count within the second, the last two are levels at its end.
    Assets {
        fleet: FleetId,
        home: RegionId,
        generated: u64,
        /// Readings.
        acked: u64,
        /// Attempts.
        refused: u64,
        /// Attempts.
        unknown: u64,
        /// Readings that a full recorder let go.
        dropped: u64,
        /// Readings without a final outcome.
        backlog: u64,
        connected: u64,
    },
    /// The lab's packet switch: totals so far, by the names that it gives them.
    Fabric(BTreeMap<String, u64>),
}

/// Appends counters. One owner.
#[derive(Debug)]
pub struct Counts(lines::Lines);

impl Counts {
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        lines::Lines::open(path).map(Self)
    }

    pub fn append(&mut self, counts: &[Count]) -> Result<(), RunError> {
        self.0.append(counts)
    }
}
