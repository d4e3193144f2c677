//! The [`Traffic`] of this process: starts the engine and asks it to drain.

use std::{collections::BTreeMap, fmt, ops::Range, sync::Arc, thread::JoinHandle};

use async_trait::async_trait;
use model::{FleetId, Micros, Plan, Stamped, schedule::Schedule};
use run::{Folder, RunError};
use seams::{Clock, Driver, LoadReport, Network, Pulse, Traffic, Wanted};
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot, watch},
    task::{LocalSet, spawn_local},
};

use crate::{
    engine::{Drain, Engine},
    fleet::Fleet,
    recording::Record,
    thread::Thread,
    writing::{Files, Writing},
};

/// What traffic needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    pub plan: Arc<Plan>,
    /// Number of the run, part of every envelope.
    pub run: u64,
    pub network: Arc<dyn Network>,
    /// One per fleet.
    pub drivers: BTreeMap<FleetId, Arc<dyn Driver>>,
    pub folder: Folder,
}

#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("start fleet {0}: it has no driver")]
    NoDriver(FleetId),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("start a thread of the traffic: {0}")]
    Thread(#[from] std::io::Error),
}

/// Every fleet of a plan, on one thread. Dropped without a drain, it writes what it has and ends.
pub struct Fleets {
    thread: Thread,
    /// What arming takes.
    ready: Option<(Setup, Record, Arc<Schedule>)>,
    /// Of every fleet.
    assets: Vec<Range<u32>>,
    asks: Option<mpsc::UnboundedSender<Drain>>,
    sending: Option<JoinHandle<()>>,
    trouble: Option<String>,
}

impl Fleets {
    /// Opens the files; nothing is sent before arming.
    pub fn new(setup: Setup, thread: Thread) -> Result<Self, TrafficError> {
        if let Some(fleet) =
            setup.plan.fleets.keys().find(|fleet| !setup.drivers.contains_key(*fleet))
        {
            return Err(TrafficError::NoDriver(fleet.clone()));
        }
        let schedule = Arc::new(Schedule::new(&setup.plan));
        let folder = &setup.folder;
        let files = Files {
            ledger: folder.append_ledger(schedule.clone())?,
            latency: folder.append_latency()?,
            counts: folder.append_counts()?,
        };
        let record = Record::new(Writing::begin(files)?);
        let assets =
            setup.plan.fleets.values().map(|fleet| fleet.first..fleet.first + fleet.assets);
        Ok(Self {
            thread,
            assets: assets.collect(),
            ready: Some((setup, record, schedule)),
            asks: None,
            sending: None,
            trouble: None,
        })
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
        let Some((setup, record, schedule)) = self.ready.take() else { return };
        let (asks, asked) = mpsc::unbounded_channel();
        self.asks = Some(asks);
        let thread = self.thread;
        let sending = move || async move {
            engine(&setup, record, schedule, clock, want, seen, thread).run(asked).await
        };
        match self.thread {
            Thread::Callers => drop(spawn_local(sending())),
            Thread::Own => match on_own_thread(sending) {
                Ok(thread) => self.sending = Some(thread),
                Err(error) => self.trouble = Some(error.to_string()),
            },
        }
    }

    async fn drain(&mut self, latest: Micros) -> LoadReport {
        let (answer, answered) = oneshot::channel();
        let lost = || {
            let why = self.trouble.clone().unwrap_or("the sending thread has ended".to_owned());
            LoadReport::lost(self.assets.clone(), why)
        };
        let Some(asks) = self.asks.take() else { return lost() };
        if asks.send(Drain { latest, answer }).is_err() {
            return lost();
        }
        let report = answered.await.unwrap_or_else(|_| lost());
        if let Some(thread) = self.sending.take() {
            // It answers last of all, so this does not wait; a panic has been printed and shows as `lost`.
            let _panicked = thread.join();
        }
        report
    }
}

impl fmt::Debug for Fleets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleets")
            .field("thread", &self.thread)
            .field("armed", &self.ready.is_none())
            .finish_non_exhaustive()
    }
}

fn engine(
    setup: &Setup,
    record: Record,
    schedule: Arc<Schedule>,
    clock: Clock,
    want: watch::Receiver<Wanted>,
    seen: mpsc::UnboundedSender<Stamped>,
    thread: Thread,
) -> Engine {
    let fleets = setup.plan.fleets.iter().map(|(name, fleet)| {
        let lane = setup.drivers[name].lane(setup.network.clone(), clock.clone());
        let assets = fleet.first..fleet.first + fleet.assets;
        Fleet::new(name, &setup.plan, assets, schedule.clone(), clock.clone(), setup.run, lane)
    });
    let pulse = Pulse::new(setup.plan.theta, clock.now());
    Engine { fleets: fleets.collect(), record, clock: clock.clone(), want, seen, pulse, thread }
}

/// `sending` is made on the new thread: lanes do not move between threads.
fn on_own_thread<F: Future<Output = ()>>(
    sending: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, TrafficError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("traffic".to_owned());
    Ok(thread.spawn(move || LocalSet::new().block_on(&runtime, async { sending().await }))?)
}
