//! The timeline of a plan.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::PhaseId;

/// What a phase is for, decided once when the plan is made: nobody else reads a meaning out of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// The stack and the assets settle; nothing is measured.
    Warmup,
    /// What everything else is compared with.
    Baseline,
    /// Something goes wrong.
    Fault,
    /// Assets come back after a fault.
    Recovery,
    /// What was lost returns and takes its work back.
    Failback,
    /// Sending has stopped, and everything is decided.
    Verify,
    Other,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    pub name: PhaseId,
    pub kind: PhaseKind,
    pub start: Duration,
    pub end: PhaseEnd,
    pub measure: bool,
    /// Percentiles may be gated here: no fault and no recovery falls into it.
    pub steady: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseEnd {
    At(Duration),
    /// Generation has stopped; ends when everything is decided and observers have passed it, at `latest` at the latest. Only the last phase.
    Quiesced {
        latest: Duration,
    },
}

impl PhaseEnd {
    /// The latest possible end.
    pub fn latest(self) -> Duration {
        match self {
            Self::At(end) | Self::Quiesced { latest: end } => end,
        }
    }
}
