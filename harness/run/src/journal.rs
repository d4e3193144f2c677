//! `events.jsonl`: the one writer that numbers events.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{Event, Micros, Record};

use crate::{
    RunError,
    lines::{self, Absent},
};

/// Appends events, each on disk before the call returns. Shared by reference.
#[derive(Debug)]
pub struct Journal(Mutex<Writer>);

#[derive(Debug)]
struct Writer {
    lines: lines::Lines,
    next: u64,
    last: Micros,
    /// Whether it says how the run ended.
    ended: bool,
}

impl Journal {
    /// Goes on where this file ends; a torn last line is cut.
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        let had = lines::read::<Record>(&path, Absent::IsEmpty)?;
        let mut lines = lines::Lines::open(path)?;
        lines.cut(had.length)?;
        let last = had.values.last().map_or(Micros::ZERO, |record| record.at);
        let next = had.values.len() as u64;
        let ended = had.values.iter().any(|record| is_end(&record.event));
        Ok(Self(Mutex::new(Writer { lines, next, last, ended })))
    }

    /// Why the run broke off, for somebody without its clock and when all is over; nothing where the journal says already how it ended.
    pub fn broke(&self, why: &str) -> Result<(), RunError> {
        let (ended, last) = {
            let writer = self.writer();
            (writer.ended, writer.last)
        };
        if ended {
            return Ok(());
        }
        self.append(last, Event::Broke { why: why.to_owned() }).map(|_| ())
    }

    pub fn append(&self, at: Micros, event: Event) -> Result<Record, RunError> {
        let mut writer = self.writer();
        let record = Record { number: writer.next, at, event };
        writer.lines.append([&record])?;
        (writer.next, writer.last) = (writer.next + 1, at);
        writer.ended |= is_end(&record.event);
        Ok(record)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::LabClosed | Event::Broke { .. })
}

/// What the file holds; the numbers have no gap.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, RunError> {
    let events = lines::read::<Record>(path, Absent::IsEmpty)?.values;
    for (number, record) in (0..).zip(&events) {
        if record.number != number {
            let why = format!(
                "after {number} events comes the one with the number {}: lines are missing",
                record.number
            );
            return Err(RunError::damaged(path, why));
        }
    }
    Ok(events)
}
