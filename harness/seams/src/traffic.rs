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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    pub senders: Vec<SenderReport>,
}

/// One sending thread, or one process on another machine.
#[derive(Clone, Debug, PartialEq)]
pub struct SenderReport {
    /// Whose readings it sent.
    pub assets: Vec<Range<u32>>,
    /// Or why the sender was lost: nothing is known of its assets from some moment on.
    pub sent: Result<Sent, String>,
}

/// What a sender that came to its end knows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Every reading has its final outcome.
    pub complete: bool,
    pub generated: u64,
    pub acked: u64,
    /// Start of the first attempt minus the intended time, of idle and connected assets.
    pub schedule_lag: Histogram,
    /// How late the sending loop came round to what was due, by milliseconds of the run: each counts with what would have been due then.
    pub loop_lag: Histogram,
    /// CPU time that the thread took, from arming on; None where it is not its alone.
    pub cpu: Option<Duration>,
    /// The first thing that went wrong with the sender itself, such as a full disk.
    pub trouble: Option<String>,
}

impl LoadReport {
    /// Those that came to their end.
    pub fn ended(&self) -> impl Iterator<Item = &Sent> {
        self.senders.iter().filter_map(|sender| sender.sent.as_ref().ok())
    }

    /// Those that were lost: their assets, and why.
    pub fn lost(&self) -> impl Iterator<Item = (&[Range<u32>], &str)> {
        self.senders.iter().filter_map(|sender| {
            let why = sender.sent.as_ref().err()?;
            Some((sender.assets.as_slice(), why.as_str()))
        })
    }

    /// Some sender came to its end, and every reading of those that did has its final outcome.
    pub fn complete(&self) -> bool {
        self.ended().next().is_some() && self.ended().all(|sent| sent.complete)
    }

    pub fn generated(&self) -> u64 {
        self.ended().map(|sent| sent.generated).sum()
    }

    pub fn acked(&self) -> u64 {
        self.ended().map(|sent| sent.acked).sum()
    }

    /// Of all senders together.
    pub fn schedule_lag(&self) -> Histogram {
        merged(self.ended().map(|sent| &sent.schedule_lag))
    }

    /// Of all senders together.
    pub fn loop_lag(&self) -> Histogram {
        merged(self.ended().map(|sent| &sent.loop_lag))
    }

    /// CPU time of all senders; None where it is not known of every one.
    pub fn cpu(&self) -> Option<Duration> {
        self.ended().map(|sent| sent.cpu).sum()
    }

    pub fn trouble(&self) -> Option<&str> {
        self.ended().find_map(|sent| sent.trouble.as_deref())
    }
}

fn merged<'a>(all: impl Iterator<Item = &'a Histogram>) -> Histogram {
    let mut sum = Histogram::new(3).expect("three significant digits are allowed");
    for one in all {
        sum.add(one).expect("a histogram without bounds takes every value");
    }
    sum
}
