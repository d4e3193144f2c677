//! The load, wherever it is made: in this process, in several, on other machines.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use model::{Micros, Stamped};
use tokio::sync::{mpsc, watch};

use crate::{Clock, Wanted};

/// How often which number of microseconds. Several senders hand on histograms, since those can be added up and percentiles cannot.
pub type Histogram = hdrhistogram::Histogram<u64>;

#[async_trait]
pub trait Traffic: Send {
    /// Starts the schedule; `clock` has its origin at the first intended moment, which may lie a little ahead. From then on the
    /// fleets follow what the wanted world asks of them, and `seen` hears which assets that has hit.
    async fn arm(
        &mut self,
        clock: Clock,
        want: watch::Receiver<Wanted>,
        seen: mpsc::UnboundedSender<Stamped>,
    );

    /// Generation has stopped. Returns when every reading has its final outcome or `latest` is reached, with everything written.
    async fn drain(&mut self, latest: Micros) -> LoadReport;
}

/// What the load generator knows of itself at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadReport {
    /// Every reading has its final outcome.
    pub complete: bool,
    pub generated: u64,
    pub acked: u64,
    /// Start of the first attempt minus the intended time, of idle and connected assets.
    pub schedule_lag: Histogram,
    /// How late the sending loop came round to what was due, by milliseconds of the run: each counts with what would have been due then.
    pub loop_lag: Histogram,
    /// CPU time that the sending threads took, from arming on; None where they are not theirs alone.
    pub cpu: Option<Duration>,
    /// Assets whose sender was lost: nothing is known of them from some moment on.
    pub lost: Vec<Range<u32>>,
    /// The first thing that went wrong with the generator itself, such as a full disk.
    pub trouble: Option<String>,
}

impl LoadReport {
    /// Of a sender that was lost with its assets.
    pub fn lost(assets: Vec<Range<u32>>, trouble: String) -> Self {
        let empty = Histogram::new(3).expect("three significant digits are allowed");
        Self {
            complete: false,
            generated: 0,
            acked: 0,
            schedule_lag: empty.clone(),
            loop_lag: empty,
            cpu: None,
            lost: assets,
            trouble: Some(trouble),
        }
    }
}
