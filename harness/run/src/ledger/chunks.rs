//! Framing: header, checksum, body. Knows nothing of rows.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use model::Micros;

use crate::{RunError, appending::Appending, lines::Absent};

const MAGIC: [u8; 4] = *b"WDLG";
const VERSION: u8 = 1;
const FILE_HEADER: usize = 8;
const CHUNK_HEADER: usize = 24;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Readings = 1,
    Sightings = 2,
}

/// Why a chunk cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("not a ledger of this version and kind")]
    Foreign,
    #[error("the checksum of a chunk's header does not hold")]
    Header,
    #[error("the checksum of a chunk does not hold")]
    Body,
    #[error("a row cannot be decoded")]
    Row,
}

/// Appends chunks.
#[derive(Debug)]
pub(super) struct Writer(Appending);

impl Writer {
    pub(super) fn open(path: PathBuf, kind: Kind) -> Result<Self, RunError> {
        let mut file = Appending::create(path)?;
        file.append(&file_header(kind))?;
        Ok(Self(file))
    }

    pub(super) fn append(
        &mut self,
        until: Micros,
        rows: usize,
        body: &[u8],
    ) -> Result<(), RunError> {
        self.0.append(&frame(until, rows, body))
    }
}

pub(super) fn file_header(kind: Kind) -> [u8; FILE_HEADER] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, VERSION, kind as u8, 0, 0]
}

pub(super) fn frame(until: Micros, rows: usize, body: &[u8]) -> Vec<u8> {
    let length =
        u32::try_from(body.len()).expect("65 536 rows of bounded size stay far below 4 GiB");
    let rows = u32::try_from(rows).expect("a chunk has at most 65 536 rows");
    let mut out = Vec::with_capacity(CHUNK_HEADER + body.len());
    out.extend(length.to_le_bytes());
    out.extend(rows.to_le_bytes());
    out.extend(until.0.to_le_bytes());
    out.extend(crc32c::crc32c(body).to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out.extend(body);
    out
}

/// One chunk that held its checksums.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) until: Micros,
    pub(super) rows: usize,
    pub(super) body: Vec<u8>,
}

/// Reads chunks to the last whole one.
#[derive(Debug)]
pub(super) struct Chunks<R> {
    from: R,
}

impl Chunks<BufReader<File>> {
    /// None for a file that is missing where it may be.
    pub(super) fn open(path: &Path, kind: Kind, absent: Absent) -> Result<Option<Self>, RunError> {
        match File::open(path) {
            Ok(file) => Self::new(BufReader::new(file), kind)
                .map(Some)
                .map_err(|error| refused(path, error)),
            Err(error) if absent.is_empty(&error) => Ok(None),
            Err(error) => Err(RunError::io("open", path)(error)),
        }
    }
}

pub(super) fn refused(path: &Path, error: Trouble) -> RunError {
    match error {
        Trouble::Io(source) => RunError::io("read", path)(source),
        Trouble::Damage(damage) => RunError::damaged(path, damage),
    }
}

#[derive(Debug)]
pub(super) enum Trouble {
    Io(io::Error),
    Damage(Damage),
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(mut from: R, kind: Kind) -> Result<Self, Trouble> {
        let mut header = [0; FILE_HEADER];
        let had = fill(&mut from, &mut header)?;
        if header[..had] != file_header(kind)[..had] {
            return Err(Trouble::Damage(Damage::Foreign));
        }
        Ok(Self { from })
    }

    /// The next chunk; None at the end, also where a kill has torn the last one.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, Trouble> {
        let mut header = [0; CHUNK_HEADER];
        if fill(&mut self.from, &mut header)? < CHUNK_HEADER {
            return Ok(None);
        }
        let word =
            |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        if crc32c::crc32c(&header[..20]) != word(20) {
            return Err(Trouble::Damage(Damage::Header));
        }
        let until = Micros(i64::from_le_bytes(header[8..16].try_into().expect("eight bytes")));
        let mut body = vec![0; word(0) as usize];
        if fill(&mut self.from, &mut body)? < body.len() {
            return Ok(None);
        }
        if crc32c::crc32c(&body) != word(16) {
            return Err(Trouble::Damage(Damage::Body));
        }
        Ok(Some(Chunk { until, rows: word(4) as usize, body }))
    }
}

/// Reads until the buffer is full or the file ends, and says how much came.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Trouble> {
    let mut had = 0;
    while had < buffer.len() {
        match from.read(&mut buffer[had..]) {
            Ok(0) => break,
            Ok(more) => had += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Io(error)),
        }
    }
    Ok(had)
}
