//! What can go wrong with a run folder; messages finish "failed to ...".

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The file was written by something else, or is damaged before its end.
    #[error("read {path}: {why}")]
    Damaged { path: PathBuf, why: String },
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
