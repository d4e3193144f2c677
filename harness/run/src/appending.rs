//! A file that only grows, by whole pieces: what could be written in part is taken back, so that what comes later can be read.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use crate::RunError;

/// One owner.
#[derive(Debug)]
pub(crate) struct Appending {
    file: File,
    path: PathBuf,
    /// Of the whole pieces, in bytes.
    length: u64,
}

impl Appending {
    /// Goes on where the file ends; makes it where there is none.
    pub(crate) fn open(path: PathBuf) -> Result<Self, RunError> {
        Self::with(OpenOptions::new().create(true), path, "open")
    }

    /// A file of that name must not be there yet.
    pub(crate) fn create(path: PathBuf) -> Result<Self, RunError> {
        Self::with(OpenOptions::new().create_new(true), path, "create")
    }

    fn with(
        options: &mut OpenOptions,
        path: PathBuf,
        doing: &'static str,
    ) -> Result<Self, RunError> {
        let file = options.append(true).open(&path).map_err(RunError::io(doing, &path))?;
        let length = file.metadata().map_err(RunError::io("read", &path))?.len();
        Ok(Self { file, path, length })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Keeps the first `length` bytes.
    pub(crate) fn cut(&mut self, length: u64) -> Result<(), RunError> {
        self.file.set_len(length).map_err(RunError::io("cut", &self.path))?;
        self.length = length;
        Ok(())
    }

    /// Adds one piece, or nothing of it.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), RunError> {
        if let Err(error) = self.file.write_all(piece) {
            // What cannot be taken back is told as damage when it is read, unless it is the last.
            let _torn = self.file.set_len(self.length);
            return Err(RunError::io("append to", &self.path)(error));
        }
        self.length += piece.len() as u64;
        Ok(())
    }
}
