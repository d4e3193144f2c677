//! A run folder read back, also one of a run that was killed in the middle.

use std::{fs, path::Path, sync::Arc};

use model::{
    AssetRow, Identity, Micros, ObserverId, Plan, Record, Row, ShardRow, Sighting, ledger::Fate,
    plan::FORMAT, schedule::Schedule,
};
use serde::de::DeserializeOwned;

use crate::{
    Count, Folder, Interval, RunError, Summary, latency,
    ledger::{self, Readings},
    lines,
};

/// What every format of a plan says first.
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
    pub counts: Vec<Count>,
}

impl Loaded {
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RunError> {
        let folder = Folder::at(path.as_ref());
        // The format comes first: a plan of another one may hold anything else.
        let Stamp { format } = json(&folder.plan())?;
        if format != FORMAT {
            return Err(RunError::OtherFormat { path: folder.plan(), format, ours: FORMAT });
        }
        let plan: Plan = json(&folder.plan())?;
        Ok(Self {
            summary: json(&folder.summary())?,
            schedule: Arc::new(Schedule::new(&plan)),
            plan,
            events: lines::read(&folder.events())?.values,
            assets: lines::read(&folder.assets())?.values,
            shards: lines::read(&folder.shards())?.values,
            counts: lines::read(&folder.counters())?.values,
            folder,
        })
    }

    /// The rows as they were written, in the order of their chunks. [`Readings::until`] says at the end how far the schedule had come.
    pub fn rows(&self) -> Result<Readings, RunError> {
        Readings::open(&self.folder.readings(), self.schedule.clone())
    }

    /// Every reading that was generated, exactly once, by identity. Those without a row are `Pending`, without an attempt: of a run that
    /// was killed, what happened in its last second is not known.
    pub fn readings(&self) -> Result<Generated, RunError> {
        let mut rows = self.rows()?;
        let mut written: Vec<Row> = rows.by_ref().collect::<Result<_, _>>()?;
        written.sort_by_key(|row| row.identity);
        Ok(self.complete(written, rows.until()))
    }

    fn complete(&self, written: Vec<Row>, until: Micros) -> Generated {
        let mut all = Vec::with_capacity(written.len());
        let mut written = written.into_iter().peekable();
        for (asset, stream, series) in self.schedule.all() {
            for (seq, ready) in series.times().take_while(|(_, at)| *at < until) {
                let identity = Identity { asset, stream, boot: 1, seq };
                while let Some(row) = written.next_if(|row| row.identity < identity) {
                    all.push(row);
                }
                let row = written.next_if(|row| row.identity == identity);
                all.push(row.unwrap_or_else(|| pending(identity, ready)));
            }
        }
        all.extend(written);
        Generated { rows: all, until }
    }

    /// What an observer saw, in chunks of about a second; the sightings of one asset are in the order in which it saw them.
    pub fn sightings(&self, observer: &ObserverId) -> Result<Vec<Sighting>, RunError> {
        ledger::read_sightings(&self.folder.sightings(observer), &self.schedule)
    }

    /// Latencies from the intended time, per second and `fleet/home`.
    pub fn latencies(&self) -> Result<Vec<Interval>, RunError> {
        latency::read(&self.folder.latency())
    }
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
        attempts: Vec::new(),
        fate: Fate::Pending,
        acked: None,
        position: None,
        by: None,
        stored: false,
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let bytes = fs::read(path).map_err(RunError::io("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::damaged(path, error))
}
