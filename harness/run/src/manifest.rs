//! `manifest.json`: what a run's folder held when everything had been written. A copy that broke off, or an artifact rule that left a
//! file out, is seen by it; an absent file never reads as an empty one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::RunError;

/// Version of `manifest.json`.
const FORMAT: u32 = 1;
/// What a run records: files, and folders with all that is in them.
const RECORDED: [&str; 12] = [
    "plan.yaml",
    "scenario.yaml",
    "events.jsonl",
    "assets.jsonl",
    "shards.jsonl",
    "counters.jsonl",
    "latency.hlog",
    "panic.txt",
    "ledger",
    "senders",
    "logs",
    "packets",
];
/// Folders that are for people only.
const SPARE: [&str; 2] = ["logs", "packets"];
const BUFFER: usize = 1 << 16;

/// Everything that was recorded: not `run.json` and the reports, which are written again whenever somebody judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    /// Lines of the journal.
    pub(crate) events: u64,
    /// By their names within the folder.
    files: BTreeMap<String, Extent>,
}

/// How much a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Extent {
    bytes: u64,
    crc32c: u32,
}

impl Manifest {
    /// Of what lies in the folder now.
    pub(crate) fn of(folder: &Path, events: u64) -> Result<Self, RunError> {
        let mut files = BTreeMap::new();
        for name in RECORDED {
            collect(folder, name, &mut files)?;
        }
        Ok(Self { format: FORMAT, events, files })
    }

    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("manifest.json")
    }

    /// None where the folder has none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, RunError> {
        let path = Self::path(folder);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::io("read", path)(error)),
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| {
            RunError::not_whole(folder, "manifest.json", format!("it cannot be read: {error}"))
        })?;
        let Self { format, .. } = manifest;
        if format != FORMAT {
            return Err(RunError::OtherFormat { path, format, ours: FORMAT });
        }
        Ok(Some(manifest))
    }

    pub(crate) fn without(mut self, below: &str) -> Self {
        self.files.retain(|name, _| !name.starts_with(below));
        self
    }

    /// # Errors
    /// A file is not there, or does not hold what was written to it.
    pub(crate) fn check(&self, folder: &Path) -> Result<(), RunError> {
        for (name, written) in &self.files {
            let Extent { bytes, crc32c } = *written;
            let path = folder.join(name);
            let why = match File::open(&path).and_then(extent) {
                Ok(found) if found == *written => continue,
                Ok(found) if found.bytes != bytes => {
                    format!("it has {} of the {bytes} bytes that were written", found.bytes)
                }
                Ok(found) => format!(
                    "its checksum is {:08x}, of what was written {crc32c:08x}",
                    found.crc32c
                ),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if is_left_out(folder, name) {
                        continue;
                    }
                    format!("it is missing; {bytes} bytes were written")
                }
                Err(error) => return Err(RunError::io("read", path)(error)),
            };
            return Err(RunError::not_whole(folder, name, why));
        }
        Ok(())
    }
}

/// Whether the whole folder of the file is gone, and it is one that decides nothing: an archive may do without.
fn is_left_out(root: &Path, name: &str) -> bool {
    let spare = name.split_once('/').map(|(folder, _)| folder);
    spare.is_some_and(|folder| SPARE.contains(&folder) && !root.join(folder).exists())
}

/// A file, or every file below a folder; nothing where there is neither.
fn collect(root: &Path, name: &str, files: &mut BTreeMap<String, Extent>) -> Result<(), RunError> {
    let path = root.join(name);
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(RunError::io("read", path)(error)),
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(&path).map_err(RunError::io("list", &path))? {
            let entry = entry.map_err(RunError::io("list", &path))?;
            // A name that is not text is none of ours.
            if let Some(inner) = entry.file_name().to_str() {
                collect(root, &format!("{name}/{inner}"), files)?;
            }
        }
    } else if metadata.is_file() {
        let extent = File::open(&path).and_then(extent).map_err(RunError::io("read", path))?;
        files.insert(name.to_owned(), extent);
    }
    Ok(())
}

fn extent(mut file: File) -> io::Result<Extent> {
    let mut extent = Extent { bytes: 0, crc32c: 0 };
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(extent),
            Ok(more) => {
                extent.bytes += more as u64;
                extent.crc32c = crc32c::crc32c_append(extent.crc32c, &buffer[..more]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
