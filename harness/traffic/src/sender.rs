//! One sending thread: its share of every fleet, its lanes, its files. It needs nothing of the others.

use std::{
    collections::BTreeMap,
    fmt, mem,
    ops::Range,
    sync::{Arc, mpsc as sync},
    thread::JoinHandle,
};

use model::{FleetId, Micros, Stamped, schedule::Schedule};
use seams::{Clock, Pulse, SenderReport, Sent, Wanted, contain_panics, panic_text};
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot, watch},
    task::{LocalSet, spawn_local},
};

use crate::{
    engine::{Drain, Engine},
    fleet::Fleet,
    prepared::Prepared,
    recording::Record,
    setup::{Setup, TrafficError},
    thread::Thread,
    writing::Writing,
};

/// What makes a sender begin.
#[derive(Clone)]
pub(crate) struct Armed {
    pub(crate) clock: Clock,
    pub(crate) want: watch::Receiver<Wanted>,
    pub(crate) seen: mpsc::UnboundedSender<Stamped>,
}

pub(crate) struct Sender {
    number: u32,
    /// Whose readings it sends.
    assets: Vec<Range<u32>>,
    stage: Stage,
    thread: Option<JoinHandle<()>>,
    ready: Option<sync::Receiver<()>>,
}

/// How far it has come.
enum Stage {
    /// On the caller's thread: it is made when it is armed.
    Waits(Box<Share>),
    /// On its own thread, which waits to be armed.
    Ready {
        arm: oneshot::Sender<Armed>,
        asks: mpsc::UnboundedSender<Drain>,
    },
    Sends(mpsc::UnboundedSender<Drain>),
    Drains(oneshot::Receiver<Sent>),
    Over,
}

/// What a sender is made of.
struct Share {
    setup: Arc<Setup>,
    schedule: Arc<Schedule>,
    record: Record,
    /// Ids by fleet.
    assets: BTreeMap<FleetId, Range<u32>>,
    thread: Thread,
}

impl Sender {
    pub(crate) fn new(
        setup: Arc<Setup>,
        schedule: Arc<Schedule>,
        number: u32,
        assets: BTreeMap<FleetId, Range<u32>>,
        thread: Thread,
    ) -> Result<Self, TrafficError> {
        let files = setup.folder.append_sender(number, schedule.clone())?;
        let record = Record::new(Writing::begin(files)?);
        let mut sender = Self {
            number,
            assets: assets.values().filter(|range| !range.is_empty()).cloned().collect(),
            stage: Stage::Over,
            thread: None,
            ready: None,
        };
        let share = Share { setup, schedule, record, assets, thread };
        match thread {
            Thread::Callers => sender.stage = Stage::Waits(Box::new(share)),
            Thread::Own => sender.on_own_thread(share)?,
        }
        Ok(sender)
    }

    /// The state of a million assets takes a while, and the clock is not to run meanwhile. A thread that has panicked is found out later.
    pub(crate) fn wait_until_ready(&mut self) {
        if let Some(ready) = self.ready.take() {
            let _panicked = ready.recv();
        }
    }

    pub(crate) fn arm(&mut self, armed: Armed) {
        self.stage = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Waits(share) => {
                let (asks, asked) = mpsc::unbounded_channel();
                spawn_local(async move {
                    let fleets = share.prepare();
                    share.engine(fleets, armed).run(asked).await;
                });
                Stage::Sends(asks)
            }
            Stage::Ready { arm, asks } => {
                // Where nobody hears it the thread has panicked, which the drain finds out.
                let _panicked = arm.send(armed);
                Stage::Sends(asks)
            }
            other => other,
        };
    }

    /// Asks for the end.
    pub(crate) fn ask(&mut self, latest: Micros) {
        if let Stage::Sends(asks) = &self.stage {
            let (answer, answered) = oneshot::channel();
            // Where nobody is left to answer, nobody holds the answer either.
            let _gone = asks.send(Drain { latest, answer });
            self.stage = Stage::Drains(answered);
        }
    }

    /// What it has to say at its end, which was asked for.
    pub(crate) async fn ended(&mut self) -> SenderReport {
        let sent = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Drains(answered) => answered.await.ok(),
            Stage::Waits(_) | Stage::Ready { .. } | Stage::Sends(_) | Stage::Over => None,
        };
        // It answers last of all, so this does not wait.
        let panicked = self.thread.take().and_then(|thread| thread.join().err());
        let said = panicked
            .as_deref()
            .and_then(panic_text)
            .map_or(String::new(), |said| format!(": {said}"));
        let why = || format!("sending thread {} has ended{said}", self.number + 1);
        SenderReport { assets: self.assets.clone(), sent: sent.ok_or_else(why) }
    }

    /// Everything is made on the new thread: lanes do not move between threads.
    fn on_own_thread(&mut self, share: Share) -> std::io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (arm, armed) = oneshot::channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (is_ready, ready) = sync::channel();
        let thread = std::thread::Builder::new().name(format!("traffic-{}", self.number + 1));
        let thread = thread.spawn(move || {
            contain_panics();
            let fleets = share.prepare();
            // Whoever made it may be gone already.
            let _alone = is_ready.send(());
            LocalSet::new().block_on(&runtime, async {
                if let Ok(armed) = armed.await {
                    share.engine(fleets, armed).run(asked).await;
                }
            });
        })?;
        self.stage = Stage::Ready { arm, asks };
        (self.thread, self.ready) = (Some(thread), Some(ready));
        Ok(())
    }
}

impl Share {
    /// What the schedule alone decides.
    fn prepare(&self) -> Vec<Prepared> {
        let mine = self.assets.iter().filter(|(_, assets)| !assets.is_empty());
        mine.map(|(name, assets)| {
            Prepared::new(name, &self.setup.plan, assets.clone(), &self.schedule)
        })
        .collect()
    }

    fn engine(self, prepared: Vec<Prepared>, armed: Armed) -> Engine {
        let Self { setup, schedule, record, thread, .. } = self;
        let Armed { clock, want, seen } = armed;
        let fleets = prepared.into_iter().map(|prepared| {
            let lane = setup.drivers[&prepared.name].lane(setup.network.clone(), clock.clone());
            Fleet::new(prepared, &setup.plan, schedule.clone(), clock.clone(), setup.run, lane)
        });
        let pulse = Pulse::new(setup.plan.theta, clock.now());
        Engine { fleets: fleets.collect(), record, clock: clock.clone(), want, seen, pulse, thread }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("number", &self.number)
            .field("assets", &self.assets)
            .finish_non_exhaustive()
    }
}
