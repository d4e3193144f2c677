//! The shapes of a fleet's load, as they are written.

use document::{
    Sp,
    units::{Frequency, Multiple, Time},
    within::{DAY, MS, SECOND, Within},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Above nothing: an asset that sends nothing cannot be judged.
pub(crate) type Rate = Within<Multiple, 10_000, 1_000_000_000>;

/// The load of a fleet in one phase: beside `during` stands exactly one shape.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    /// The phase. Phases that no shape names have the nominal rate.
    pub(crate) during: Option<Sp<String>>,
    /// Level, as a multiple of the nominal rates of the streams: `3x`, `70%`.
    pub(crate) rate: Option<Sp<Rate>>,
    /// A straight line over the phase.
    pub(crate) ramp: Option<Sp<Ramp>>,
    /// A stair of equally long steps over the phase.
    pub(crate) steps: Option<Sp<Steps>>,
    /// A day: a sine that begins at its mean and rises.
    pub(crate) diurnal: Option<Sp<Diurnal>>,
    /// Short peaks at the same distance, the first one as the phase begins.
    pub(crate) bursts: Option<Sp<Bursts>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ramp {
    /// Default: the rate at the end of the phase before.
    pub(crate) from: Option<Rate>,
    pub(crate) to: Rate,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// The first step. Default: the rate at the end of the phase before.
    pub(crate) from: Option<Rate>,
    /// The last step.
    pub(crate) to: Rate,
    /// How many steps, the first and the last among them.
    pub(crate) count: Within<u32, 2, 1000>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diurnal {
    /// How long the day is.
    pub(crate) period: Within<Time, SECOND, { 7 * DAY }>,
    pub(crate) low: Rate,
    pub(crate) high: Rate,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bursts {
    pub(crate) rate: Rate,
    /// How long a burst lasts.
    #[serde(rename = "for")]
    pub(crate) lasts: Within<Time, MS, DAY>,
    /// From the beginning of a burst to that of the next one.
    pub(crate) every: Within<Time, { 10 * MS }, DAY>,
    /// The rate between bursts. Default: `1x`.
    pub(crate) between: Option<Rate>,
}

/// What the stack carries.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Capacity {
    /// Readings that it acks in time.
    readings: Frequency,
    /// Connections that one region accepts.
    connects: Option<Frequency>,
    /// Connections that may wait there to be accepted.
    queue: Option<u32>,
}

impl From<Capacity> for model::load::Capacity {
    fn from(raw: Capacity) -> Self {
        Self {
            readings_per_s: raw.readings.per_second(),
            connects_per_s: raw.connects.map(Frequency::per_second),
            queue: raw.queue,
        }
    }
}
