//! What can go wrong with a run folder; messages finish "failed to ...".

use std::{
    io,
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The file was written by something else, or is damaged before its end.
    #[error("read {path}: {why}")]
    Damaged { path: PathBuf, why: String },
    /// Something is not there, or not all of it, that the run had written.
    #[error(
        "find the run whole in {folder}: {file}: {why}. The run wrote more than this folder holds: copy it again, whole, from where \
         the run was made, or run the scenario again"
    )]
    NotWhole { folder: PathBuf, file: String, why: String },
    #[error("point {path} to the run: it is no link, and is left as it is")]
    NoLink { path: PathBuf },
    /// The run was stored by another version, whose words mean other things.
    #[error(
        "read {path}: it is of format {format} and this version reads format {ours} only; \
         judge it with the version that made it, or run the scenario again"
    )]
    OtherFormat { path: PathBuf, format: u32, ours: u32 },
}

impl RunError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    pub(crate) fn not_whole(folder: &Path, file: &str, why: impl ToString) -> Self {
        let why = why.to_string();
        Self::NotWhole { folder: folder.to_owned(), file: file.to_owned(), why }
    }

    pub(crate) fn damaged(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::Damaged { path: path.into(), why: why.to_string() }
    }
}
