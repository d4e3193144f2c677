//! `events.jsonl`: the one writer that numbers events.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use model::{Event, Micros, Record};

use crate::{RunError, lines};

/// Appends events, each on disk before the call returns. Shared by reference.
#[derive(Debug)]
pub struct Journal(Mutex<Writer>);

#[derive(Debug)]
struct Writer {
    lines: lines::Lines,
    next: u64,
}

impl Journal {
    /// Goes on where this file ends; a torn last line is cut.
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        let had = lines::read::<Record>(&path)?;
        let lines = lines::Lines::open(path)?;
        lines.cut(had.length)?;
        Ok(Self(Mutex::new(Writer { lines, next: had.values.len() as u64 })))
    }

    pub fn append(&self, at: Micros, event: Event) -> Result<Record, RunError> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let record = Record { number: writer.next, at, event };
        writer.lines.append([&record])?;
        writer.next += 1;
        Ok(record)
    }
}
