//! What can go wrong with a run folder; messages finish "failed to ...".

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The file was written by something else, or is damaged before its end.
    #[error("read {path}: {why}")]
    Damaged { path: PathBuf, why: String },
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

    pub(crate) fn damaged(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::Damaged { path: path.into(), why: why.to_string() }
    }
}
