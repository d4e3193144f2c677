//! Files of JSON lines: one write per line, so that a kill tears the last one at most.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::RunError;

/// Appends to a file of lines.
#[derive(Debug)]
pub(crate) struct Lines {
    file: File,
    path: PathBuf,
}

impl Lines {
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(RunError::io("open", &path))?;
        Ok(Self { file, path })
    }

    /// Keeps the first `length` bytes.
    pub(crate) fn cut(&self, length: u64) -> Result<(), RunError> {
        self.file.set_len(length).map_err(RunError::io("cut", &self.path))
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
        self.file.write_all(&bytes).map_err(RunError::io("append to", &self.path))
    }
}

/// What a file of lines holds, without a torn last line.
#[derive(Debug)]
pub(crate) struct Read<T> {
    pub(crate) values: Vec<T>,
    /// Bytes of the whole lines.
    pub(crate) length: u64,
}

/// Reads a file of lines; a missing file has none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Read<T>, RunError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
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
