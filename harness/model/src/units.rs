//! Quantities that are not durations.

use serde::{Deserialize, Serialize};

/// A line rate, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BitRate(pub u64);

/// A chance, in parts per million (0 to 1 000 000): netem's resolution is far finer than any test can tell, and integers compare exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chance(pub u32);

impl Chance {
    pub const ALWAYS: Self = Self(1_000_000);

    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}
