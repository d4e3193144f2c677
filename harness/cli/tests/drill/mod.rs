//! Runs the binary on a scenario as a user would, and reads what it left behind.
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]
#![allow(clippy::print_stdout, reason = "a skip is printed with its reason")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tempfile::TempDir;

/// Real drills share two cores: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A finished run.
pub struct Ran {
    pub exit: i32,
    pub verdicts: Value,
    pub findings: Value,
    pub said: String,
    folder: PathBuf,
    // The folder lives as long as somebody looks at it.
    _kept: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// None, with the reason printed, where this machine cannot run the lab at all.
pub fn run(scenario: &str) -> Option<Ran> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = tempfile::tempdir().expect("a temporary folder");
    let file = kept.path().join("drill.yaml");
    fs::write(&file, scenario).expect("a file can be written");
    let doctor = wetdress(&["doctor".as_ref()]).output().expect("the binary starts");
    if !doctor.status.success() {
        println!(
            "skipped: the local lab does not work here:\n{}",
            String::from_utf8_lossy(&doctor.stdout)
        );
        return None;
    }
    let runs = kept.path().join("runs");
    let out = wetdress(&["run".as_ref(), file.as_ref(), "--runs".as_ref(), runs.as_ref()])
        .output()
        .expect("the binary starts");
    let said =
        String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    let folder = runs.join("latest");
    let summary: Value = fs::read(folder.join("run.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_else(|| panic!("no run.json:\n{said}"));
    let part = |name: &str| summary["body"][name].clone();
    Some(Ran {
        exit: out.status.code().unwrap_or(-1),
        verdicts: part("verdicts"),
        findings: part("findings"),
        said,
        folder,
        _kept: kept,
        _alone: alone,
    })
}

fn wetdress(words: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    command.args(words).env("NO_COLOR", "1");
    command
}

impl Ran {
    /// Lines of a JSON-lines file in the data folder of every node.
    pub fn of_nodes(&self, file: &str) -> Vec<Value> {
        let nodes = fs::read_dir(self.folder.join("nodes")).expect("nodes have folders");
        let files = nodes.filter_map(Result::ok).flat_map(|node| found(&node.path(), file));
        let lines = files.flat_map(|file| {
            fs::read_to_string(file).expect("text").lines().map(str::to_owned).collect::<Vec<_>>()
        });
        lines.map(|line| serde_json::from_str(&line).expect("a line of JSON")).collect()
    }

    /// What happened, without numbers and times.
    pub fn events(&self) -> Vec<Value> {
        let text =
            fs::read_to_string(self.folder.join("events.jsonl")).expect("every run has events");
        let records =
            text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        records.map(|record| record["event"].clone()).collect()
    }

    /// What a gate said.
    pub fn gate(&self, name: &str) -> &Value {
        let gates =
            self.verdicts["gates"].as_array().unwrap_or_else(|| panic!("no gates:\n{}", self.said));
        gates
            .iter()
            .find(|gate| gate["name"] == name)
            .unwrap_or_else(|| panic!("no gate {name}:\n{}", self.said))
    }
}

/// Files of this name below a folder.
fn found(folder: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let below = entries.filter_map(Result::ok).map(|entry| entry.path()).flat_map(|path| {
        if path.is_dir() {
            found(&path, name)
        } else if path.ends_with(name) {
            vec![path]
        } else {
            vec![]
        }
    });
    below.collect()
}
