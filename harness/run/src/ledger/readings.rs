//! Rows of readings.
//!
//! A row: `asset - previous asset` varint · flags u8 (bits 0-2 fate: 0 acked, 1 refused, 2 unknown, 3 dropped, 4 pending; 3 stored;
//! 4 `ready` is not the intended time; 5 acked at some time; 6 has a position; 7 has `by`) · `stream << 2 | (boot != 1) << 1 | (attempts
//! != 1)` varint · boot varint if not 1 · `seq - due` signed, where `due` is the number of readings of its series due before the
//! chunk's `until` · `ready - intended` signed if flagged · number of attempts if not 1 · each attempt's `sent` as the signed distance
//! from the one before it, the first from `ready` · `acked - last sent` (or `- ready` without an attempt) signed if flagged ·
//! `position - previous position of the chunk` signed if flagged · `by` varint if flagged. All differences wrap.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{
    Attempt, Attempts, Identity, Micros, NodeIndex, Row, ledger::Fate, schedule::Schedule,
};

use super::{
    Damage, ROWS_MAX,
    chunks::{Chunk, Chunks, Kind, Trouble, Writer, refused},
    varint::{Numbers, put, put_signed},
};
use crate::{RunError, lines::Absent};

const FATES: [Fate; 5] = [Fate::Acked, Fate::Refused, Fate::Unknown, Fate::Dropped, Fate::Pending];
const STORED: u8 = 1 << 3;
const READY: u8 = 1 << 4;
const ACKED: u8 = 1 << 5;
const POSITION: u8 = 1 << 6;
const BY: u8 = 1 << 7;

/// Appends rows. What was pushed since the last [`Ledger::cut`] is lost in a kill, nothing else.
#[derive(Debug)]
pub struct Ledger {
    file: Writer,
    schedule: Arc<Schedule>,
    rows: Vec<Row>,
    until: Micros,
}

impl Ledger {
    pub(crate) fn open(path: PathBuf, schedule: Arc<Schedule>) -> Result<Self, RunError> {
        Ok(Self {
            file: Writer::open(path, Kind::Readings)?,
            schedule,
            rows: Vec::new(),
            until: Micros::ZERO,
        })
    }

    pub fn push(&mut self, row: Row) -> Result<(), RunError> {
        self.rows.push(row);
        if self.rows.len() < ROWS_MAX { Ok(()) } else { self.cut(self.until) }
    }

    /// Writes a chunk; the schedule has been generated up to `until`. Called every second, also when nothing happened.
    pub fn cut(&mut self, until: Micros) -> Result<(), RunError> {
        self.until = until;
        self.rows.sort_by_key(|row| row.identity);
        let body = encode(&self.rows, until, &self.schedule);
        let written = self.file.append(until, self.rows.len(), &body);
        self.rows.clear();
        written
    }
}

pub(super) fn encode(rows: &[Row], until: Micros, schedule: &Schedule) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 12);
    let (mut asset, mut position) = (0u32, 0u64);
    for row in rows {
        let identity = row.identity;
        let (due, intended) = against(schedule, &identity, until);
        put(u64::from(identity.asset.wrapping_sub(asset)), &mut out);
        asset = identity.asset;
        let fate =
            FATES.iter().position(|fate| *fate == row.fate).expect("every fate is listed") as u8;
        let flags =
            [(row.stored, STORED), (row.ready != intended, READY), (row.acked.is_some(), ACKED)];
        let more = [(row.position.is_some(), POSITION), (row.by.is_some(), BY)];
        out.push(
            flags
                .into_iter()
                .chain(more)
                .fold(fate, |all, (set, bit)| if set { all | bit } else { all }),
        );
        let odd = u64::from(identity.boot != 1) << 1 | u64::from(row.attempts.len() != 1);
        put(u64::from(identity.stream) << 2 | odd, &mut out);
        if identity.boot != 1 {
            put(u64::from(identity.boot), &mut out);
        }
        put_signed(identity.seq.wrapping_sub(due).cast_signed(), &mut out);
        if row.ready != intended {
            put_signed(row.ready.0.wrapping_sub(intended.0), &mut out);
        }
        if row.attempts.len() != 1 {
            put(row.attempts.len() as u64, &mut out);
        }
        let mut last = row.ready;
        for attempt in &row.attempts {
            put_signed(attempt.sent.0.wrapping_sub(last.0), &mut out);
            last = attempt.sent;
        }
        if let Some(acked) = row.acked {
            put_signed(acked.0.wrapping_sub(last.0), &mut out);
        }
        if let Some(at) = row.position {
            put_signed(at.wrapping_sub(position).cast_signed(), &mut out);
            position = at;
        }
        if let Some(NodeIndex(by)) = row.by {
            put(u64::from(by), &mut out);
        }
    }
    out
}

/// How many readings of the series are due before `until`, and when this one was. What is not in the plan counts from zero.
pub(super) fn against(schedule: &Schedule, identity: &Identity, until: Micros) -> (u64, Micros) {
    match schedule.series(identity.asset, identity.stream) {
        Some(series) => (series.before(until), series.at(identity.seq)),
        None => (0, Micros::ZERO),
    }
}

/// The rows of a file, in the order of its chunks.
#[derive(Debug)]
pub struct Readings {
    path: PathBuf,
    chunks: Option<Chunks<BufReader<File>>>,
    schedule: Arc<Schedule>,
    decoded: std::vec::IntoIter<Row>,
    until: Micros,
}

impl Readings {
    pub(crate) fn open(
        path: &Path,
        schedule: Arc<Schedule>,
        absent: Absent,
    ) -> Result<Self, RunError> {
        let chunks = Chunks::open(path, Kind::Readings, absent)?;
        Ok(Self {
            path: path.to_owned(),
            chunks,
            schedule,
            decoded: Vec::new().into_iter(),
            until: Micros::ZERO,
        })
    }

    /// How far the schedule had been generated, by the chunks read so far.
    pub fn until(&self) -> Micros {
        self.until
    }

    fn chunk(&mut self) -> Result<Option<Chunk>, RunError> {
        let Some(chunks) = &mut self.chunks else { return Ok(None) };
        chunks.next().map_err(|error| refused(&self.path, error))
    }
}

impl Iterator for Readings {
    type Item = Result<Row, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.decoded.next() {
                return Some(Ok(row));
            }
            let step = self.chunk().and_then(|chunk| {
                let Some(chunk) = chunk else { return Ok(false) };
                let rows = decode(&chunk, &self.schedule);
                self.decoded = rows
                    .ok_or_else(|| refused(&self.path, Trouble::Damage(Damage::Row)))?
                    .into_iter();
                self.until = self.until.max(chunk.until);
                Ok(true)
            });
            match step {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.chunks = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

pub(super) fn decode(chunk: &Chunk, schedule: &Schedule) -> Option<Vec<Row>> {
    let mut numbers = Numbers(&chunk.body);
    let (mut asset, mut position) = (0u32, 0u64);
    let mut rows = Vec::with_capacity(chunk.rows.min(ROWS_MAX));
    for _ in 0..chunk.rows {
        asset = asset.wrapping_add(numbers.narrow()?);
        let (flags, rest) = numbers.0.split_first()?;
        let flags = *flags;
        numbers.0 = rest;
        let odd = numbers.take()?;
        let boot = if odd & 2 == 0 { 1 } else { numbers.narrow()? };
        let mut identity = Identity { asset, stream: u16::try_from(odd >> 2).ok()?, boot, seq: 0 };
        let (due, _) = against(schedule, &identity, chunk.until);
        identity.seq = due.wrapping_add(numbers.take_signed()?.cast_unsigned());
        let (_, intended) = against(schedule, &identity, chunk.until);
        let ready = if flags & READY == 0 {
            intended
        } else {
            Micros(intended.0.wrapping_add(numbers.take_signed()?))
        };
        let count = if odd & 1 == 0 { 1 } else { numbers.take()? };
        let mut last = ready;
        let mut attempts = Attempts::with_capacity(count.min(16) as usize);
        for _ in 0..count {
            last = Micros(last.0.wrapping_add(numbers.take_signed()?));
            attempts.push(Attempt { sent: last });
        }
        let acked = if flags & ACKED == 0 {
            None
        } else {
            Some(Micros(last.0.wrapping_add(numbers.take_signed()?)))
        };
        if flags & POSITION != 0 {
            position = position.wrapping_add(numbers.take_signed()?.cast_unsigned());
        }
        rows.push(Row {
            identity,
            ready,
            attempts,
            fate: *FATES.get(usize::from(flags & 7))?,
            acked,
            position: (flags & POSITION != 0).then_some(position),
            by: if flags & BY == 0 { None } else { Some(NodeIndex(numbers.narrow()?)) },
            stored: flags & STORED != 0,
        });
    }
    numbers.0.is_empty().then_some(rows)
}
