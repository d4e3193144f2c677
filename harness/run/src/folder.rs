//! The folder itself: where everything lies, and its making.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{AssetRow, ObserverId, Plan, ShardRow, schedule::Schedule};
use serde::Serialize;

use crate::{
    Counts, Journal, Latency, Ledger, RunError, Sightings, State, Summary, journal, lines::Lines,
    manifest::Manifest,
};

/// A run folder to append to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// What one sender appends to.
#[derive(Debug)]
pub struct SenderFiles {
    pub ledger: Ledger,
    pub latency: Latency,
    pub counts: Counts,
}

/// Where the files of one sender lie: those of the first in the run folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderPaths {
    folder: PathBuf,
    first: bool,
}

impl SenderPaths {
    pub fn readings(&self) -> PathBuf {
        let within = if self.first { "ledger/readings.chunks" } else { "readings.chunks" };
        self.folder.join(within)
    }

    pub fn latency(&self) -> PathBuf {
        self.folder.join("latency.hlog")
    }

    pub fn counters(&self) -> PathBuf {
        self.folder.join("counters.jsonl")
    }
}

/// A run goes on in this folder.
#[derive(Debug)]
pub struct Held {
    /// The lock ends with the last copy of this descriptor.
    _folder: File,
}

impl Folder {
    /// Makes `runs/name` (with `-2`, `-3` ... where that is taken), writes the plan, the scenario's text and a `run.json` that says
    /// `running`.
    pub fn create(runs: &Path, name: &str, plan: &Plan, scenario: &str) -> Result<Self, RunError> {
        fs::create_dir_all(runs).map_err(RunError::io("create", runs))?;
        let folder = Self { path: fresh(runs, name)? };
        for inner in [folder.ledger_folder(), folder.logs()] {
            fs::create_dir(&inner).map_err(RunError::io("create", inner))?;
        }
        folder.write_summary(&Summary::new(State::Running, serde_json::Value::Null))?;
        folder.write(&folder.plan(), &pretty(plan))?;
        folder.write(&folder.scenario(), scenario.as_bytes())?;
        Ok(folder)
    }

    /// Points `latest` beside this folder to it.
    ///
    /// # Errors
    /// Something that is no link has this name: it is left as it is.
    pub fn point_latest(&self) -> Result<(), RunError> {
        let name = self.path.file_name().expect("the folder was made under a name");
        let latest = self.path.with_file_name("latest");
        if fs::symlink_metadata(&latest).is_ok_and(|there| !there.is_symlink()) {
            return Err(RunError::NoLink { path: latest });
        }
        let new = self.path.with_file_name(format!(".latest-{}", std::process::id()));
        let _left_by_a_crash = fs::remove_file(&new);
        symlink(name, &new).map_err(RunError::io("link", &new))?;
        fs::rename(&new, &latest).map_err(RunError::io("replace", latest))
    }

    /// Says that the run goes on, as long as this process or a child of it holds what is returned.
    pub fn hold(&self) -> Result<Held, RunError> {
        let folder = File::open(&self.path).map_err(RunError::io("open", &self.path))?;
        folder.lock().map_err(RunError::io("lock", &self.path))?;
        Ok(Held { _folder: folder })
    }

    /// Whether somebody holds it. Where the file system knows no locks nobody does.
    pub fn is_held(&self) -> bool {
        let locked = File::open(&self.path).map(|folder| folder.try_lock_shared());
        matches!(locked, Ok(Err(TryLockError::WouldBlock)))
    }

    /// A folder that was made before, also by another process.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces `run.json` in one step.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunError> {
        self.replace(&self.summary(), &pretty(summary))
    }

    /// Says in `manifest.json` what the folder holds, when nobody writes to it any more: from then on it is read whole or not at all.
    ///
    /// # Errors
    /// A file cannot be read, the journal is damaged, or the manifest cannot be written.
    pub fn close(&self) -> Result<(), RunError> {
        let events = journal::read(&self.events())?.len() as u64;
        self.replace(&self.manifest(), &pretty(&Manifest::of(&self.path, events)?))
    }

    /// Removes the packets, also from what a whole folder holds.
    pub fn remove_packets(&self) -> Result<(), RunError> {
        let packets = self.packets();
        if !packets.exists() {
            return Ok(());
        }
        if let Some(manifest) = Manifest::read(&self.path)? {
            self.replace(&self.manifest(), &pretty(&manifest.without("packets/")))?;
        }
        fs::remove_dir_all(&packets).map_err(RunError::io("remove", packets))
    }

    pub fn write_assets(&self, assets: &[AssetRow]) -> Result<(), RunError> {
        Lines::open(self.assets())?.append(assets)
    }

    pub fn write_shards(&self, shards: &[ShardRow]) -> Result<(), RunError> {
        Lines::open(self.shards())?.append(shards)
    }

    pub fn journal(&self) -> Result<Journal, RunError> {
        Journal::open(self.events())
    }

    /// The files of a sender, by its number from 0; `schedule` is that of the folder's plan.
    pub fn append_sender(
        &self,
        number: u32,
        schedule: Arc<Schedule>,
    ) -> Result<SenderFiles, RunError> {
        let of = self.sender(number);
        if number > 0 {
            fs::create_dir_all(&of.folder).map_err(RunError::io("create", &of.folder))?;
        }
        Ok(SenderFiles {
            ledger: Ledger::open(of.readings(), schedule)?,
            latency: Latency::open(of.latency())?,
            counts: Counts::open(of.counters())?,
        })
    }

    /// Where the files of a sender lie.
    pub fn sender(&self, number: u32) -> SenderPaths {
        let folder = match number {
            0 => self.path.clone(),
            _ => self.path.join("senders").join(number.to_string()),
        };
        SenderPaths { folder, first: number == 0 }
    }

    /// How many senders have written: at least one.
    pub fn senders(&self) -> u32 {
        (1..).take_while(|number| self.sender(*number).folder.is_dir()).count() as u32 + 1
    }

    pub fn append_sightings(
        &self,
        observer: &ObserverId,
        schedule: Arc<Schedule>,
    ) -> Result<Sightings, RunError> {
        Sightings::open(self.sightings(observer), schedule)
    }

    pub fn summary(&self) -> PathBuf {
        self.path.join("run.json")
    }

    pub fn manifest(&self) -> PathBuf {
        Manifest::path(&self.path)
    }

    /// JSON, which is YAML too.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.yaml")
    }

    pub fn scenario(&self) -> PathBuf {
        self.path.join("scenario.yaml")
    }

    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    pub fn assets(&self) -> PathBuf {
        self.path.join("assets.jsonl")
    }

    pub fn shards(&self) -> PathBuf {
        self.path.join("shards.jsonl")
    }

    /// One file per server process goes here.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Packets around the effects of faults, one pcapng file each; absent where none were written.
    pub fn packets(&self) -> PathBuf {
        self.path.join("packets")
    }

    /// Characters of an observer's name that a file name should not have become `_`.
    pub fn sightings(&self, observer: &ObserverId) -> PathBuf {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let name: String =
            observer.as_str().chars().map(|c| if plain(c) { c } else { '_' }).collect();
        self.ledger_folder().join(format!("observer-{name}.chunks"))
    }

    fn ledger_folder(&self) -> PathBuf {
        self.path.join("ledger")
    }

    /// In one step: whoever reads sees the old file or the new one.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), RunError> {
        let new = path.with_extension("json.new");
        self.write(&new, bytes)?;
        fs::rename(&new, path).map_err(RunError::io("replace", path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RunError> {
        fs::write(path, bytes).map_err(RunError::io("write", path))
    }
}

fn fresh(runs: &Path, name: &str) -> Result<PathBuf, RunError> {
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    for name in names {
        let path = runs.join(name);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(RunError::io("create", path)(error)),
        }
    }
    unreachable!("there is always a next number")
}

fn pretty<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("plans and summaries are plain data with text keys")
}
