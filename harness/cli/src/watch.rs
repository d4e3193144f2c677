//! Observers at work: what they see goes to the run folder, and how far they have come is known here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{Event, Micros, ObserverId, ShardId, Sighting, plan::Observer as Planned, plan::Shows};
use seams::{Clock, Eyes, Ground, Observer, Origin, Post};
use tokio::{sync::Notify, task::JoinSet};

use crate::diary::Diary;

/// How often what was seen is put on disk, so that a killed run keeps it.
const CUT_EVERY: Duration = Duration::from_secs(1);
/// How often the system's own end is asked for while observers catch up.
const HEAD_EVERY: Duration = Duration::from_millis(200);

/// One observer's sightings and progress.
#[derive(Debug)]
pub(crate) struct Ink {
    name: ObserverId,
    sightings: run::Sightings,
    passed: Mutex<BTreeMap<ShardId, u64>>,
    further: Notify,
    diary: Diary,
}

impl Ink {
    fn new(
        name: ObserverId,
        diary: &Diary,
        folder: &run::Folder,
        schedule: &Arc<model::schedule::Schedule>,
    ) -> Result<Arc<Self>, run::RunError> {
        let sightings = folder.append_sightings(&name, schedule.clone())?;
        Ok(Arc::new(Self {
            name,
            sightings,
            passed: Mutex::default(),
            further: Notify::new(),
            diary: diary.clone(),
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

impl Eyes for Ink {
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
        self.diary.tell(to, Event::ObserverBlind { observer: self.name.clone(), from, to });
    }
}

/// One observer of the plan at its post.
pub(crate) struct Watcher {
    observer: Arc<dyn Observer>,
    post: Post,
    ink: Arc<Ink>,
    /// Logs and replicas are read back after heal; what that finds goes apart.
    read_back: Option<Arc<Ink>>,
}

/// All observers of a run.
pub(crate) struct Watch {
    watchers: Vec<Arc<Watcher>>,
    tasks: JoinSet<()>,
    ground: Arc<dyn Ground>,
    diary: Diary,
}

impl Watch {
    /// Puts every observer at its post; each has an address of its own in its cell.
    pub(crate) fn begin(
        plan: &model::Plan,
        observers: &BTreeMap<ObserverId, Arc<dyn Observer>>,
        ground: &Arc<dyn Ground>,
        diary: &Diary,
        folder: &run::Folder,
        schedule: &Arc<model::schedule::Schedule>,
    ) -> Result<Self, run::RunError> {
        let mut watchers = vec![];
        for (index, (name, planned)) in plan.observers.iter().enumerate() {
            let Some(observer) = observers.get(name) else { continue };
            let ink = Ink::new(name.clone(), diary, folder, schedule)?;
            let read_back = match planned.shows {
                Shows::Log | Shows::Replica => {
                    Some(Ink::new(model::plan::read_back_of(name), diary, folder, schedule)?)
                }
                Shows::CurrentValue | Shows::ReadBack => None,
            };
            let post = post(planned, u32::try_from(index).unwrap_or(0), diary.clock());
            watchers.push(Arc::new(Watcher { observer: observer.clone(), post, ink, read_back }));
        }
        let mut tasks = JoinSet::new();
        for watcher in &watchers {
            let (watcher, ground, diary) = (watcher.clone(), ground.clone(), diary.clone());
            tasks.spawn(async move {
                let ended =
                    watcher.observer.watch(ground, watcher.post.clone(), watcher.ink.clone()).await;
                diary.note(format!("observer {} gave up: {ended}", watcher.ink.name));
            });
        }
        let inks: Vec<Arc<Ink>> = watchers.iter().map(|watcher| watcher.ink.clone()).collect();
        let told = diary.clone();
        tasks.spawn(async move {
            let mut every = tokio::time::interval(CUT_EVERY);
            loop {
                every.tick().await;
                inks.iter().for_each(|ink| cut(ink, &told));
            }
        });
        Ok(Self { watchers, tasks, ground: ground.clone(), diary: diary.clone() })
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
            all &= reached || watcher.post.shows == Shows::CurrentValue;
            self.tell_passed(&watcher.ink, watcher.ink.passed(), end.unwrap_or_default());
        }
        all
    }

    /// The system's own end, asked again until it answers.
    async fn head(&self, watcher: &Watcher, latest: Micros) -> Option<BTreeMap<ShardId, u64>> {
        loop {
            let asked = watcher.observer.head(self.ground.clone(), &watcher.post);
            if let Some(Ok(end)) = before(&self.diary, latest, asked).await {
                return Some(end);
            }
            if self.diary.clock().now() + HEAD_EVERY >= latest {
                return None;
            }
            tokio::time::sleep(HEAD_EVERY).await;
        }
    }

    async fn reach(&self, watcher: &Watcher, end: &BTreeMap<ShardId, u64>, latest: Micros) -> bool {
        let reached = async {
            loop {
                let further = watcher.ink.further.notified();
                if watcher.ink.has_reached(end) {
                    return;
                }
                further.await;
            }
        };
        before(&self.diary, latest, reached).await.is_some()
    }

    /// Reads every log and replica once by the normal path.
    pub(crate) async fn read_back(&self, latest: Micros) -> bool {
        let mut all = true;
        for watcher in &self.watchers {
            let Some(ink) = &watcher.read_back else { continue };
            let read = async {
                let end = watcher.observer.head(self.ground.clone(), &watcher.post).await?;
                let last = watcher
                    .observer
                    .read_back(self.ground.clone(), &watcher.post, ink.clone())
                    .await?;
                Ok::<_, seams::SystemError>((last, end))
            };
            match before(&self.diary, latest, read).await {
                Some(Ok((last, end))) => self.tell_passed(ink, last, end),
                failed => {
                    all = false;
                    let why = match failed {
                        Some(Err(error)) => chain(&error),
                        _ => "it took too long".to_owned(),
                    };
                    self.diary.now(Event::ReadBackFailed { observer: ink.name.clone(), why });
                }
            }
            cut(ink, &self.diary);
        }
        all
    }

    fn tell_passed(&self, ink: &Ink, last: BTreeMap<ShardId, u64>, end: BTreeMap<ShardId, u64>) {
        self.diary.now(Event::ObserverPassed { observer: ink.name.clone(), last, end });
    }

    /// Nobody watches any more; everything seen is on disk.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
        for watcher in &self.watchers {
            cut(&watcher.ink, &self.diary);
        }
    }
}

fn cut(ink: &Ink, diary: &Diary) {
    if let Err(error) = ink.sightings.cut() {
        diary.note(format!("failed to {}", chain(&error)));
    }
}

fn post(planned: &Planned, host: u32, clock: Clock) -> Post {
    let origin = Origin::cell(&planned.cell, host);
    Post {
        origin,
        region: planned.region.clone(),
        cell: planned.cell.clone(),
        shows: planned.shows,
        clock,
    }
}

/// None when `latest` comes first.
async fn before<T>(diary: &Diary, latest: Micros, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(diary.clock().instant(latest), work).await.ok()
}

/// An error with everything behind it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
