//! The [`Traffic`] of this process: its sending threads, which need nothing of each other.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use model::{Micros, Stamped, schedule::Schedule};
use seams::{Clock, LoadReport, Traffic, Wanted};
use tokio::sync::{mpsc, watch};

use crate::{
    sender::{Armed, Sender},
    setup::{Setup, TrafficError},
    thread::Thread,
};

/// Every fleet of a plan, shared out among sending threads. Dropped without a drain, each writes what it has and ends.
pub struct Fleets {
    senders: Vec<Sender>,
}

impl Fleets {
    /// Opens the files and makes every asset ready; nothing is sent before arming.
    ///
    /// # Errors
    /// A fleet has no driver, a file cannot be opened or a thread cannot be started.
    pub fn new(setup: Setup, thread: Thread) -> Result<Self, TrafficError> {
        if let Some(fleet) =
            setup.plan.fleets.keys().find(|fleet| !setup.drivers.contains_key(*fleet))
        {
            return Err(TrafficError::NoDriver(fleet.clone()));
        }
        let schedule = Arc::new(Schedule::new(&setup.plan));
        let all = setup.senders.get();
        let setup = Arc::new(setup);
        let senders = (0..all).map(|number| {
            let fleets = setup.plan.fleets.iter();
            let share = fleets.map(|(name, fleet)| (name.clone(), fleet.share(number, all)));
            Sender::new(setup.clone(), schedule.clone(), number, share.collect(), thread)
        });
        let mut senders: Vec<Sender> = senders.collect::<Result<_, _>>()?;
        senders.iter_mut().for_each(Sender::wait_until_ready);
        Ok(Self { senders })
    }
}

#[async_trait]
impl Traffic for Fleets {
    async fn arm(
        &mut self,
        clock: Clock,
        want: watch::Receiver<Wanted>,
        seen: mpsc::UnboundedSender<Stamped>,
    ) {
        let armed = Armed { clock, want, seen };
        self.senders.iter_mut().for_each(|sender| sender.arm(armed.clone()));
    }

    async fn drain(&mut self, latest: Micros) -> LoadReport {
        // All are asked before the first one is waited for.
        self.senders.iter_mut().for_each(|sender| sender.ask(latest));
        let mut senders = Vec::with_capacity(self.senders.len());
        for sender in &mut self.senders {
            senders.push(sender.ended().await);
        }
        LoadReport { senders }
    }
}

impl fmt::Debug for Fleets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleets").field("senders", &self.senders).finish()
    }
}
