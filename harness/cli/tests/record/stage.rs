//! Runs of the binary in folders of their own, and copies of one run to be spoiled.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use serde_json::Value;
use tempfile::TempDir;

/// A drill of two minutes in the lab in memory; one gate fails.
pub(crate) const FAILS: &str = include_str!("partial.yaml");

pub(crate) fn wetdress<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    command.args(words).env("NO_COLOR", "1");
    command
}

pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A scenario in a folder of its own, and where its runs go.
pub(crate) fn scenario(text: &str) -> (TempDir, PathBuf, PathBuf) {
    let kept = temporary();
    let (file, runs) = (kept.path().join("drill.yaml"), kept.path().join("runs"));
    fs::write(&file, text).expect("a file can be written");
    (kept, file, runs)
}

/// What it said, on both ways.
pub(crate) fn words(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

/// The finished run of [`FAILS`], to be copied.
static FAILED: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let (kept, file, runs) = scenario(FAILS);
    let ran = wetdress(["run".as_ref(), file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
        .output()
        .expect("the binary starts");
    assert_eq!(code(&ran), 1, "{}", words(&ran));
    let folder = fs::canonicalize(runs.join("latest")).expect("a run has a folder");
    (kept, folder)
});

/// A copy of a finished run that failed.
pub(crate) struct Copy {
    path: PathBuf,
    _kept: TempDir,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let kept = temporary();
        let path = kept.path().join("run");
        copy(&FAILED.1, &path);
        Self { path, _kept: kept }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).expect("it is there")
    }

    pub(crate) fn command(&self, verb: &str) -> Output {
        wetdress([verb.as_ref(), self.path.as_os_str()]).output().expect("the binary starts")
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::from_slice(&self.read("run.json")).expect("it is replaced in one step")
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("a file can be copied");
        }
    }
}
