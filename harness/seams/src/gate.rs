//! What a gate rests on: by this `plan` says what it can prove and refuses what it could never decide, without knowing any gate.

use std::time::Duration;

use model::ObserverId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run must bring for a gate to pass or to fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Rests {
    /// Enough of the waits in steady phases are short, in the worst of its groups.
    Quantile(Quantile),
    /// How long assets are out, whatever brings them back: each must be asked while a fault lasts.
    Outage {
        /// The longest that one outage may take; None where only their sum is limited.
        max: Option<Duration>,
    },
    /// How soon a fault is overcome, before anything else is planned.
    Recovery { max: Duration, of: Recovers },
    /// Who is out at the end: each asset must be asked after the last fault began.
    Return,
    /// Good readings of those that fall due.
    Goodput {
        /// In these phases; while a fault lasts where none is named.
        during: Vec<String>,
        /// Of those only whom no fault hits: where none is planned, nobody is judged.
        beside_faults: bool,
    },
    /// Readings and copies of them, each accounted for.
    Count,
    /// What the stack says of itself.
    Told,
}

/// A share of waits, of the readings with `ack: required` or of those that an observer shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantile {
    /// Such as 0.99.
    pub q: f64,
    /// Steady phases; the baseline where none is named.
    pub during: Vec<String>,
    /// The worst of these groups decides.
    pub by: Option<By>,
    /// Only whole multiples of it are judged.
    pub clock: Duration,
    /// Until this observer shows a reading; None: until its ack.
    pub shown_by: Option<ObserverId>,
}

/// Who must be back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovers {
    /// Assets, or what is shown of them.
    Assets,
    /// Shards of the service, as readings of assets or of probes see them.
    Service,
}

/// What splits a gate into groups; the worst group is the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    Shard,
    Region,
    Fleet,
}
