//! Files of JSON lines: one write per line, so that a kill tears the last one at most.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{RunError, appending::Appending};

/// Appends to a file of lines.
#[derive(Debug)]
pub(crate) struct Lines(Appending);

impl Lines {
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        Appending::open(path).map(Self)
    }

    /// Keeps the first `length` bytes.
    pub(crate) fn cut(&mut self, length: u64) -> Result<(), RunError> {
        self.0.cut(length)
    }

    pub(crate) fn append<T: Serialize>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), RunError> {
        let mut bytes = Vec::new();
        for value in values {
            serde_json::to_writer(&mut bytes, &value).expect("lines are plain data with text keys");
            bytes.push(b'\n');
        }
        self.0.append(&bytes)
    }
}

/// What a file that is not there means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The run was killed before it had anything to write there.
    IsEmpty,
    /// The run wrote it, and it is gone.
    IsLost,
}

impl Absent {
    /// Whether this failure to open a file means that there is nothing to read.
    pub(crate) fn is_empty(self, error: &io::Error) -> bool {
        self == Self::IsEmpty && error.kind() == io::ErrorKind::NotFound
    }
}

/// What a file of lines holds, without a torn last line.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) values: Vec<T>,
    /// Bytes of the whole lines.
    pub(crate) length: u64,
}

/// Reads a file of lines. A missing file has none where it may be missing.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, absent: Absent) -> Result<Read<T>, RunError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if absent.is_empty(&error) => Vec::new(),
        Err(error) => return Err(RunError::io("read", path)(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let values = lines.enumerate().map(|(number, line)| {
        serde_json::from_slice(line)
            .map_err(|error| RunError::damaged(path, format!("line {}: {error}", number + 1)))
    });
    Ok(Read { values: values.collect::<Result<_, _>>()?, length: whole as u64 })
}
