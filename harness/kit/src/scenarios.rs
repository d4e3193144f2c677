//! The scenarios of the tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where they lie.
#[must_use]
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}

/// Every scenario that is meant to run, in a fixed order.
///
/// # Panics
/// Where a folder of the tree cannot be read.
#[must_use]
pub fn shipped() -> Vec<PathBuf> {
    let folders =
        ["", "drills", "flagship", "gates", "librdkafka"].map(|folder| scenarios().join(folder));
    let entries =
        folders.iter().flat_map(|folder| fs::read_dir(folder).expect("part of the project"));
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}
