//! The load, wherever it is made: in this process, in several, on other machines.

use std::sync::Arc;

use async_trait::async_trait;
use model::Conditions;

use crate::Clock;

#[async_trait]
pub trait Traffic: Send {
    /// Starts the schedule; `clock` has its origin at the first intended moment, which may lie a little ahead.
    async fn arm(&mut self, clock: Clock);

    /// The part of the wanted world that asks something of the fleets.
    fn want(&mut self, conditions: Arc<Conditions>);

    /// Generation has stopped. Returns when every reading has its final outcome or `latest` is reached, with everything written.
    async fn drain(&mut self, latest: model::Micros) -> Drained;
}

/// What the load generator knows of itself at the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drained {
    /// Every reading has its final outcome.
    pub complete: bool,
    pub generated: u64,
    pub acked: u64,
    /// Start of the first attempt minus the intended time, of idle and connected assets: quantiles in microseconds.
    pub schedule_lag_p50_us: u64,
    pub schedule_lag_p99_us: u64,
    pub schedule_lag_max_us: u64,
    /// The first thing that went wrong with the generator itself, such as a full disk.
    pub trouble: Option<String>,
}
