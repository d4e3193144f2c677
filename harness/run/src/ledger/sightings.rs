//! Rows of what an observer saw. Within a chunk they are sorted by asset, and an asset's rows keep the order in which they were seen.
//!
//! A row: `asset - previous asset` varint · `stream << 3 | (boot != 1) << 2 | intact << 1 | has position` varint · boot varint if
//! not 1 · `seq - due` signed · `at - intended` signed · `position - previous position of the chunk` signed if there is one.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use model::{Identity, Micros, Sighting, schedule::Schedule};

use super::{
    Damage, ROWS_MAX,
    chunks::{Chunk, Chunks, Kind, Trouble, Writer, refused},
    readings::against,
    varint::{Numbers, put, put_signed},
};
use crate::{RunError, lines::Absent};

/// Appends what one observer sees. Shared by reference; the first error is kept for the next [`Sightings::cut`].
#[derive(Debug)]
pub struct Sightings(Mutex<Buffer>);

#[derive(Debug)]
struct Buffer {
    file: Writer,
    schedule: Arc<Schedule>,
    rows: Vec<Sighting>,
    failed: Option<RunError>,
}

impl Sightings {
    pub(crate) fn open(path: PathBuf, schedule: Arc<Schedule>) -> Result<Self, RunError> {
        let file = Writer::open(path, Kind::Sightings)?;
        Ok(Self(Mutex::new(Buffer { file, schedule, rows: Vec::new(), failed: None })))
    }

    /// A chunk is cut when the next sighting is a second younger than the first one waiting, so a busy observer needs no clock.
    pub fn saw(&self, sighting: Sighting) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let aged = buffer
            .rows
            .first()
            .is_some_and(|first| sighting.at.0.saturating_sub(first.at.0) >= 1_000_000);
        if (aged || buffer.rows.len() >= ROWS_MAX)
            && let Err(error) = buffer.cut()
        {
            buffer.failed.get_or_insert(error);
        }
        buffer.rows.push(sighting);
    }

    /// Writes what is waiting. To be called every second or so, and at the end.
    pub fn cut(&self) -> Result<(), RunError> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match buffer.failed.take() {
            Some(error) => Err(error),
            None => buffer.cut(),
        }
    }
}

/// What waits is written, as well as it can be, when the observer ends without a word.
impl Drop for Sightings {
    fn drop(&mut self) {
        let _nobody_listens = self.cut();
    }
}

impl Buffer {
    fn cut(&mut self) -> Result<(), RunError> {
        let Some(until) = self.rows.iter().map(|row| row.at).max() else { return Ok(()) };
        self.rows.sort_by_key(|row| row.identity.asset);
        let body = encode(&self.rows, until, &self.schedule);
        let written = self.file.append(until, self.rows.len(), &body);
        self.rows.clear();
        written
    }
}

pub(super) fn encode(rows: &[Sighting], until: Micros, schedule: &Schedule) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * 8);
    let (mut asset, mut position) = (0u32, 0u64);
    for row in rows {
        let identity = row.identity;
        let (due, intended) = against(schedule, &identity, until);
        put(u64::from(identity.asset.wrapping_sub(asset)), &mut out);
        asset = identity.asset;
        let odd = u64::from(identity.boot != 1) << 2
            | u64::from(row.intact) << 1
            | u64::from(row.position.is_some());
        put(u64::from(identity.stream) << 3 | odd, &mut out);
        if identity.boot != 1 {
            put(u64::from(identity.boot), &mut out);
        }
        put_signed(identity.seq.wrapping_sub(due).cast_signed(), &mut out);
        put_signed(row.at.0.wrapping_sub(intended.0), &mut out);
        if let Some(at) = row.position {
            put_signed(at.wrapping_sub(position).cast_signed(), &mut out);
            position = at;
        }
    }
    out
}

pub(super) fn decode(chunk: &Chunk, schedule: &Schedule) -> Option<Vec<Sighting>> {
    let mut numbers = Numbers(&chunk.body);
    let (mut asset, mut position) = (0u32, 0u64);
    let mut rows = Vec::with_capacity(chunk.rows.min(ROWS_MAX));
    for _ in 0..chunk.rows {
        asset = asset.wrapping_add(numbers.narrow()?);
        let odd = numbers.take()?;
        let boot = if odd & 4 == 0 { 1 } else { numbers.narrow()? };
        let mut identity = Identity { asset, stream: u16::try_from(odd >> 3).ok()?, boot, seq: 0 };
        let (due, _) = against(schedule, &identity, chunk.until);
        identity.seq = due.wrapping_add(numbers.take_signed()?.cast_unsigned());
        let (_, intended) = against(schedule, &identity, chunk.until);
        let at = Micros(intended.0.wrapping_add(numbers.take_signed()?));
        if odd & 1 != 0 {
            position = position.wrapping_add(numbers.take_signed()?.cast_unsigned());
        }
        rows.push(Sighting {
            identity,
            at,
            position: (odd & 1 != 0).then_some(position),
            intact: odd & 2 != 0,
        });
    }
    numbers.0.is_empty().then_some(rows)
}

/// Everything that an observer saw, chunk by chunk. A missing file has nothing where it may be missing.
pub(crate) fn read(
    path: &Path,
    schedule: &Schedule,
    absent: Absent,
) -> Result<Vec<Sighting>, RunError> {
    let mut all = Vec::new();
    let Some(mut chunks) = Chunks::open(path, Kind::Sightings, absent)? else { return Ok(all) };
    while let Some(chunk) = chunks.next().map_err(|error| refused(path, error))? {
        let rows =
            decode(&chunk, schedule).ok_or_else(|| refused(path, Trouble::Damage(Damage::Row)))?;
        all.extend(rows);
    }
    Ok(all)
}
