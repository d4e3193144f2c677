//! One always-on source: where it is connected, what it has under way.

use std::time::Duration;

use model::Micros;

use crate::store::Store;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Link {
    /// Waiting to connect.
    #[default]
    Off,
    Connecting,
    Online,
    /// Sends no more, and goes when everything under way is answered.
    Leaving,
}

#[derive(Debug, Default)]
pub(crate) struct Asset {
    pub(crate) link: Link,
    /// Which of its cohort's regions it goes to; 0 is home.
    pub(crate) place: usize,
    /// Grows with every change of `link`; voids timers.
    pub(crate) epoch: u32,
    /// Tries to connect since it was last connected.
    pub(crate) tries: u32,
    /// Attempts in a row that failed, connects and requests. Failures of one instant are one failure.
    pub(crate) failures: u16,
    pub(crate) failed_at: Option<Micros>,
    /// Something failed since the last ack.
    pub(crate) troubled: bool,
    /// Backoff and failback draws so far.
    pub(crate) draws: u64,
    pub(crate) cohort: u16,
    /// Readings under way.
    pub(crate) tickets: Vec<u64>,
    pub(crate) store: Store,
    pub(crate) replay_at: Micros,
    pub(crate) replay_set: bool,
    /// How far behind its pace its replay began after a silence. It makes up for that, and this is zero when it has.
    pub(crate) replay_lag: Duration,
    /// Signal was acquired then, and the first try to connect since is under way.
    pub(crate) acquired: Option<Micros>,
}

impl Asset {
    /// Moves to another state; timers of the one before are void.
    pub(crate) fn turn(&mut self, link: Link) {
        self.link = link;
        self.epoch = self.epoch.wrapping_add(1);
        self.replay_set = false;
    }

    pub(crate) fn connected(&self) -> bool {
        matches!(self.link, Link::Online | Link::Leaving)
    }
}
