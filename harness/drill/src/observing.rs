//! Observers at work: what they see goes to the run folder, and how far they have come is known here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{Event, Micros, ObserverId, ShardId, Sighting, plan::Observer as Planned, plan::Shows};
use seams::{Clock, Network, Observer, Origin, SightingSink, Vantage};
use tokio::{sync::Notify, task::JoinSet};

use crate::{error::chain, journal::EventSink};

/// How often what was seen is put on disk, so that a killed run keeps it.
const CUT_EVERY: Duration = Duration::from_secs(1);
/// How often the system's own end is asked for while observers catch up.
const HEAD_EVERY: Duration = Duration::from_millis(200);

/// Writes one observer's sightings, and knows how far it has come.
#[derive(Debug)]
struct SightingWriter {
    name: ObserverId,
    sightings: run::Sightings,
    passed: Mutex<BTreeMap<ShardId, u64>>,
    further: Notify,
    events: EventSink,
}

impl SightingWriter {
    fn new(
        name: ObserverId,
        events: &EventSink,
        folder: &run::Folder,
        schedule: &Arc<model::schedule::Schedule>,
    ) -> Result<Arc<Self>, run::RunError> {
        let sightings = folder.append_sightings(&name, schedule.clone())?;
        Ok(Arc::new(Self {
            name,
            sightings,
            passed: Mutex::default(),
            further: Notify::new(),
            events: events.clone(),
        }))
    }

    fn passed(&self) -> BTreeMap<ShardId, u64> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_reached(&self, end: &BTreeMap<ShardId, u64>) -> bool {
        let passed = self.passed();
        end.iter().all(|(shard, position)| passed.get(shard).is_some_and(|mine| mine >= position))
    }
}

impl SightingSink for SightingWriter {
    fn saw(&self, sighting: Sighting) {
        self.sightings.saw(sighting);
    }

    fn passed(&self, shard: &ShardId, position: u64) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = passed.entry(shard.clone()).or_insert(position);
        *mine = (*mine).max(position);
        drop(passed);
        self.further.notify_waiters();
    }

    fn blind(&self, from: Micros, to: Micros) {
        self.events.record(to, Event::ObserverBlind { observer: self.name.clone(), from, to });
    }
}

/// One observer of the plan at its vantage.
struct Watcher {
    observer: Arc<dyn Observer>,
    vantage: Vantage,
    writer: Arc<SightingWriter>,
    /// Logs and replicas are read back after heal; what that finds goes apart.
    read_back: Option<Arc<SightingWriter>>,
}

/// All observers of a run.
pub(crate) struct Observing {
    watchers: Vec<Arc<Watcher>>,
    tasks: JoinSet<()>,
    network: Arc<dyn Network>,
    events: EventSink,
}

impl Observing {
    /// Puts every observer at its vantage; each has an address of its own in its cell.
    pub(crate) fn begin(
        plan: &model::Plan,
        observers: &BTreeMap<ObserverId, Arc<dyn Observer>>,
        network: &Arc<dyn Network>,
        events: &EventSink,
        folder: &run::Folder,
    ) -> Result<Self, run::RunError> {
        let schedule = &Arc::new(model::schedule::Schedule::new(plan));
        let mut watchers = vec![];
        for (index, (name, planned)) in plan.observers.iter().enumerate() {
            let Some(observer) = observers.get(name) else { continue };
            let writer = SightingWriter::new(name.clone(), events, folder, schedule)?;
            let read_back = match planned.shows {
                Shows::Log | Shows::Replica => Some(SightingWriter::new(
                    model::plan::read_back_of(name),
                    events,
                    folder,
                    schedule,
                )?),
                Shows::CurrentValue => None,
            };
            let vantage = vantage(planned, u32::try_from(index).unwrap_or(0), events.clock());
            watchers.push(Arc::new(Watcher {
                observer: observer.clone(),
                vantage,
                writer,
                read_back,
            }));
        }
        let mut tasks = JoinSet::new();
        for watcher in &watchers {
            let (watcher, network, events) = (watcher.clone(), network.clone(), events.clone());
            tasks.spawn(async move {
                let ended = watcher
                    .observer
                    .watch(network, watcher.vantage.clone(), watcher.writer.clone())
                    .await;
                events.note(&format!("observer {} gave up: {ended}", watcher.writer.name));
            });
        }
        let writers: Vec<Arc<SightingWriter>> =
            watchers.iter().map(|watcher| watcher.writer.clone()).collect();
        let told = events.clone();
        tasks.spawn(async move {
            let mut every = tokio::time::interval(CUT_EVERY);
            loop {
                every.tick().await;
                writers.iter().for_each(|writer| cut(writer, &told));
            }
        });
        Ok(Self { watchers, tasks, network: network.clone(), events: events.clone() })
    }

    /// Waits until every observer has passed the end that the system names now, at most until `latest`; true when all have.
    pub(crate) async fn pass_heads(&self, latest: Micros) -> bool {
        let mut all = true;
        for watcher in &self.watchers {
            let end = self.head(watcher, latest).await;
            let reached = match &end {
                Some(end) => self.reach(watcher, end, latest).await,
                None => false,
            };
            all &= reached || watcher.vantage.shows == Shows::CurrentValue;
            self.tell_passed(&watcher.writer, watcher.writer.passed(), end.unwrap_or_default());
        }
        all
    }

    /// The system's own end, asked again until it answers.
    async fn head(&self, watcher: &Watcher, latest: Micros) -> Option<BTreeMap<ShardId, u64>> {
        loop {
            let asked = watcher.observer.head(self.network.clone(), &watcher.vantage);
            if let Some(Ok(end)) = before(&self.events, latest, asked).await {
                return Some(end);
            }
            if self.events.clock().now() + HEAD_EVERY >= latest {
                return None;
            }
            tokio::time::sleep(HEAD_EVERY).await;
        }
    }

    async fn reach(&self, watcher: &Watcher, end: &BTreeMap<ShardId, u64>, latest: Micros) -> bool {
        let reached = async {
            loop {
                let further = watcher.writer.further.notified();
                if watcher.writer.has_reached(end) {
                    return;
                }
                further.await;
            }
        };
        before(&self.events, latest, reached).await.is_some()
    }

    /// Reads every log and replica once by the normal path.
    pub(crate) async fn read_back(&self, latest: Micros) -> bool {
        let mut all = true;
        for watcher in &self.watchers {
            let Some(writer) = &watcher.read_back else { continue };
            let read = async {
                let end = watcher.observer.head(self.network.clone(), &watcher.vantage).await?;
                let last = watcher
                    .observer
                    .read_back(self.network.clone(), &watcher.vantage, writer.clone())
                    .await?;
                Ok::<_, seams::SystemError>((last, end))
            };
            match before(&self.events, latest, read).await {
                Some(Ok((last, end))) => self.tell_passed(writer, last, end),
                failed => {
                    all = false;
                    let why = match failed {
                        Some(Err(error)) => chain(&error),
                        _ => "it took too long".to_owned(),
                    };
                    self.events.now(Event::ReadBackFailed { observer: writer.name.clone(), why });
                }
            }
            cut(writer, &self.events);
        }
        all
    }

    fn tell_passed(
        &self,
        writer: &SightingWriter,
        last: BTreeMap<ShardId, u64>,
        end: BTreeMap<ShardId, u64>,
    ) {
        self.events.now(Event::ObserverPassed { observer: writer.name.clone(), last, end });
    }

    /// Nobody watches any more; everything seen is on disk.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
        for watcher in &self.watchers {
            cut(&watcher.writer, &self.events);
        }
    }
}

/// What was seen and cannot be written is gone: the record says so.
fn cut(writer: &SightingWriter, events: &EventSink) {
    if let Err(error) = writer.sightings.cut() {
        let part = format!("a part of what {} saw", writer.name);
        events.now(Event::Unwritten { part, why: format!("failed to {}", chain(&error)) });
    }
}

fn vantage(planned: &Planned, host: u32, clock: Clock) -> Vantage {
    let origin = Origin::cell(&planned.cell, host);
    Vantage {
        origin,
        region: planned.region.clone(),
        cell: planned.cell.clone(),
        shows: planned.shows,
        clock,
    }
}

/// None when `latest` comes first.
async fn before<T>(events: &EventSink, latest: Micros, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(events.clock().instant(latest), work).await.ok()
}
