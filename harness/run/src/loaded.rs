//! A run folder read back, also one of a run that was killed in the middle.

use std::{fs, ops::Range, path::Path, sync::Arc};

use model::{
    AssetRow, Attempts, Event, Identity, Micros, ObserverId, Plan, Record, Row, ShardRow, Sighting,
    ledger::Fate,
    plan::{FORMAT, Shows, read_back_of},
    schedule::Schedule,
};
use serde::de::DeserializeOwned;

use crate::{
    Count, Folder, Interval, RunError, State, Summary, journal, latency,
    ledger::{self, Readings},
    lines::{self, Absent},
    manifest::Manifest,
    summary,
};

/// What every format of a plan or a summary says first.
#[derive(serde::Deserialize)]
struct Stamp {
    format: u32,
}

/// Everything small is in memory; ledger, sightings and latencies are read when asked for.
#[derive(Debug)]
pub struct Loaded {
    pub folder: Folder,
    pub summary: Summary,
    pub plan: Plan,
    pub schedule: Arc<Schedule>,
    pub events: Vec<Record>,
    pub assets: Vec<AssetRow>,
    pub shards: Vec<ShardRow>,
    /// Of one sender after the other.
    pub counts: Vec<Count>,
    closed: bool,
}

impl Loaded {
    /// # Errors
    /// A file is damaged, or of another format; or the folder of a run that ended in order is not whole.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RunError> {
        let folder = Folder::at(path.as_ref());
        // The formats come first: what is of another one may hold anything else.
        stamped(&folder.summary(), summary::FORMAT)?;
        stamped(&folder.plan(), FORMAT)?;
        let summary: Summary = json(&folder.summary())?;
        let manifest = Manifest::read(folder.path())?;
        match &manifest {
            Some(manifest) => manifest.check(folder.path())?,
            // Whoever ends a run writes the manifest before the summary.
            None if summary.state != State::Running => {
                let why = "it is missing, though the run had ended";
                return Err(RunError::not_whole(folder.path(), "manifest.json", why));
            }
            None => {}
        }
        let events = journal::read(&folder.events())?;
        if let Some(Manifest { events: written, .. }) = manifest
            && written != events.len() as u64
        {
            let why = format!("it has {} of the {written} events that were written", events.len());
            return Err(RunError::not_whole(folder.path(), "events.jsonl", why));
        }
        let plan: Plan = json(&folder.plan())?;
        let closed = manifest.is_some();
        let absent = absent(closed, &events);
        Ok(Self {
            summary,
            schedule: Arc::new(Schedule::new(&plan)),
            plan,
            events,
            assets: lines::read(&folder.assets(), absent)?.values,
            shards: lines::read(&folder.shards(), absent)?.values,
            counts: counts(&folder, absent)?,
            folder,
            closed,
        })
    }

    /// Whether whoever ended the run had written down what the folder holds, and it holds that. Of a run that was killed altogether nobody
    /// did: whatever happened last may be missing.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn absent(&self) -> Absent {
        absent(self.closed, &self.events)
    }

    /// The rows of a sender as they were written, in the order of their chunks. [`Readings::until`] says at the end how far the schedule
    /// had come.
    pub fn rows(&self, sender: u32) -> Result<Readings, RunError> {
        let path = self.folder.sender(sender).readings();
        Readings::open(&path, self.schedule.clone(), self.absent())
    }

    /// Every reading that was generated, exactly once, by identity. Of a run that was killed, what happened in its last second is not
    /// known: readings without a row are `Pending`, without an attempt. So are those of a sender that was lost.
    ///
    /// # Errors
    /// A ledger is damaged, or has no row of a reading although its sender came to its end.
    pub fn readings(&self) -> Result<Generated, RunError> {
        let mut written = Vec::new();
        // By sender: how far the schedule had come.
        let mut until = Vec::new();
        for sender in 0..self.folder.senders() {
            let mut rows = self.rows(sender)?;
            for row in rows.by_ref() {
                written.push(row?);
            }
            until.push(rows.until());
        }
        written.sort_by_key(|row| row.identity);
        self.complete(written, &until)
    }

    /// `until`: by sender.
    fn complete(&self, written: Vec<Row>, until: &[Micros]) -> Result<Generated, RunError> {
        let absent = self.absent();
        let mut all = Vec::with_capacity(written.len());
        let mut written = written.into_iter().peekable();
        let shares = self.shares(until.len() as u32);
        let lost = self.lost_assets();
        let mut shares = shares.iter().peekable();
        for (asset, stream, series) in self.schedule.all() {
            while shares.next_if(|(assets, _)| assets.end <= asset).is_some() {}
            let Some((_, sender)) = shares.peek().filter(|(assets, _)| assets.contains(&asset))
            else {
                continue;
            };
            let is_lost = lost.iter().any(|assets| assets.contains(&asset));
            let until = until[*sender as usize];
            for (seq, ready) in series.times().take_while(|(_, at)| *at < until) {
                let identity = self.schedule.identity(asset, stream, seq);
                while let Some(row) = written.next_if(|row| row.identity < identity) {
                    all.push(row);
                }
                let row = written.next_if(|row| row.identity == identity);
                if row.is_none() && absent == Absent::IsLost && !is_lost {
                    let path = self.folder.sender(*sender).readings();
                    let name = path.strip_prefix(self.folder.path()).unwrap_or(&path);
                    return Err(RunError::not_whole(
                        self.folder.path(),
                        &name.display().to_string(),
                        format!("it has no row of the reading {identity:?}"),
                    ));
                }
                all.push(row.unwrap_or_else(|| pending(identity, ready)));
            }
        }
        all.extend(written);
        let until = until.iter().copied().max().unwrap_or_default();
        Ok(Generated { rows: all, until })
    }

    /// The ids of assets by sender, in order.
    fn shares(&self, senders: u32) -> Vec<(Range<u32>, u32)> {
        let fleets = self.plan.fleets.values();
        let shares = fleets.flat_map(|fleet| {
            (0..senders).map(move |sender| (fleet.share(sender, senders), sender))
        });
        let mut shares: Vec<_> = shares.filter(|(assets, _)| !assets.is_empty()).collect();
        shares.sort_unstable_by_key(|(assets, _)| assets.start);
        shares
    }

    /// Assets whose sender was lost.
    fn lost_assets(&self) -> Vec<Range<u32>> {
        let lost = self.events.iter().filter_map(|record| record.event.lost_assets());
        lost.flatten().cloned().collect()
    }

    /// What an observer saw, in chunks of about a second; the sightings of one asset are in the order in which it saw them.
    pub fn sightings(&self, observer: &ObserverId) -> Result<Vec<Sighting>, RunError> {
        let absent = if self.writes(observer) { self.absent() } else { Absent::IsEmpty };
        ledger::read_sightings(&self.folder.sightings(observer), &self.schedule, absent)
    }

    /// Whether a run of this plan has a file for what this observer saw, or read back under a name of its own.
    fn writes(&self, observer: &ObserverId) -> bool {
        self.plan.observers.iter().any(|(name, planned)| match planned.shows {
            Shows::Log | Shows::Replica => name == observer || read_back_of(name) == *observer,
            // Values as they are now cannot be read back.
            Shows::CurrentValue => name == observer,
        })
    }

    /// Latencies from the intended time, per second and `fleet/home`, of one sender after the other.
    pub fn latencies(&self) -> Result<Vec<Interval>, RunError> {
        let mut all = Vec::new();
        for sender in 0..self.folder.senders() {
            all.extend(latency::read(&self.folder.sender(sender).latency(), self.absent())?);
        }
        Ok(all)
    }
}

fn counts(folder: &Folder, absent: Absent) -> Result<Vec<Count>, RunError> {
    let mut all = Vec::new();
    for sender in 0..folder.senders() {
        all.extend(lines::read(&folder.sender(sender).counters(), absent)?.values);
    }
    Ok(all)
}

/// All readings of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    pub rows: Vec<Row>,
    /// How far the schedule had been generated when the run stopped.
    pub until: Micros,
}

pub(crate) fn pending(identity: Identity, ready: Micros) -> Row {
    Row {
        identity,
        ready,
        attempts: Attempts::new(),
        fate: Fate::Pending,
        acked: None,
        position: None,
        by: None,
        stored: false,
    }
}

/// A run that came to its end wrote every file; one that broke off may have had nothing to write yet.
fn absent(closed: bool, events: &[Record]) -> Absent {
    let has = |wanted: fn(&Event) -> bool| events.iter().any(|record| wanted(&record.event));
    let ended = has(|event| matches!(event, Event::LabClosed));
    let broke = has(|event| matches!(event, Event::Broke { .. }));
    if closed && ended && !broke { Absent::IsLost } else { Absent::IsEmpty }
}

fn stamped(path: &Path, ours: u32) -> Result<(), RunError> {
    let Stamp { format } = json(path)?;
    if format == ours {
        Ok(())
    } else {
        Err(RunError::OtherFormat { path: path.to_owned(), format, ours })
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::damaged(path, error))
}
