//! What a node writes beside its log: `planted.jsonl`, every instance of a planted defect, and `events.jsonl`, what it did by itself.
//! A line is written before its effect can be seen; a line with `undone` takes an earlier one back. Lines of several nodes, or of a
//! node before and after a restart, may name the same instance: the journal of a run is the *set* of instances per defect.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::Mutex,
    time::SystemTime,
};

use model::Identity;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// Acknowledged, never written.
    LostAck,
    /// Written twice, at two positions.
    Duplicate,
    /// Shown as the current value after a newer one.
    TimeTravel,
    /// The shard never answers a write again.
    DeadShard,
    /// A request had to wait for the end of a stall.
    Stall,
}

/// One instance of a planted defect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub defect: Defect,
    /// The reading; for time travel the older one, which was shown again. None for a dead shard, and for a stalled request without a reading.
    pub identity: Option<Identity>,
    pub shard: Option<u16>,
    /// First of the two positions of a duplicate.
    pub position: Option<u64>,
    /// For time travel: what had been shown before.
    pub newer: Option<Identity>,
    /// For time travel: to whom.
    pub observer: Option<String>,
    /// For a stall: how long the request was held.
    pub held_us: Option<u64>,
    pub node: String,
    /// Wall clock of the node, microseconds since 1970.
    pub at_unix_us: u64,
    /// The effect did not happen after all.
    #[serde(default)]
    pub undone: bool,
}

impl Line {
    pub(crate) fn new(defect: Defect, node: &str) -> Self {
        Self {
            defect,
            identity: None,
            shard: None,
            position: None,
            newer: None,
            observer: None,
            held_us: None,
            node: node.into(),
            at_unix_us: unix_us(),
            undone: false,
        }
    }
}

pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A file of JSON lines.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().append(true).create(true).open(path).map(|file| Self(Mutex::new(file)))
    }

    /// One write call per line, so that a killed node leaves whole lines. A journal that cannot be kept is worth a dead node:
    /// planted defects without their journal would be taken for real ones.
    pub(crate) fn write(&self, line: &impl Serialize) {
        let mut text = serde_json::to_vec(line).expect("lines are plain data");
        text.push(b'\n');
        self.0
            .lock()
            .expect("no holder panics")
            .write_all(&text)
            .expect("the journal can be written");
    }
}
