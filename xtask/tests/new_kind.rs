//! Adding a kind costs one file and at most two lines, and what comes out builds and passes the tests that visit every kind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// Files of the project as git knows them, without what is ignored.
fn files(root: &Path) -> Vec<String> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git runs");
    String::from_utf8(out.stdout).expect("names are UTF-8").lines().map(str::to_owned).collect()
}

type Texts = BTreeMap<String, Vec<u8>>;

fn texts(root: &Path, files: &[String]) -> Texts {
    files.iter().filter_map(|file| Some((file.clone(), fs::read(root.join(file)).ok()?))).collect()
}

/// A copy of the tree. It shares nothing with this build but the crates from outside: its rooms have other paths.
struct Copy {
    folder: tempfile::TempDir,
    files: Vec<String>,
}

impl Copy {
    fn new() -> Self {
        let copy = Self { folder: tempfile::tempdir().expect("a folder"), files: files(&root()) };
        for (file, bytes) in texts(&root(), &copy.files) {
            let target = copy.folder.path().join(&file);
            let folder = target.parent().expect("a file has a folder");
            fs::create_dir_all(folder).expect("folders can be made");
            fs::write(target, bytes).expect("files can be written");
        }
        copy
    }

    fn texts(&self) -> Texts {
        texts(self.folder.path(), &self.files)
    }

    fn cargo(&self, args: &[&str]) -> Output {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        Command::new(cargo)
            .args(args)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", root().join("target/new-kind"))
            // It is built once and runs for a moment.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .expect("cargo runs")
    }

    fn xtask(&self, words: &[&str]) -> Output {
        let run = ["run", "--quiet", "--offline", "--package", "xtask", "--"];
        self.cargo(&[&run, words].concat())
    }
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// Kind, name, the new file, and the file that lists it.
const KINDS: [[&str; 4]; 3] = [
    ["fault", "slow-clock", "faults/src/slow_clock.rs", "faults/src/lib.rs"],
    [
        "gate",
        "odd-ones",
        "harness/findings/src/gates/odd_ones.rs",
        "harness/findings/src/gates/mod.rs",
    ],
    ["report", "chat", "reports/src/chat.rs", "reports/src/lib.rs"],
];

#[test]
fn a_new_kind_is_one_file_and_two_lines_and_builds() {
    let mut copy = Copy::new();
    for [kind, name, file, catalog] in KINDS {
        let before = copy.texts();
        let said = copy.xtask(&["new", kind, name]);
        assert!(said.status.success(), "new {kind}: {}", String::from_utf8_lossy(&said.stderr));
        copy.files.push(file.to_owned());
        let after = copy.texts();
        assert_eq!(after.len(), before.len() + 1, "{kind}: one new file, {file}");
        let changed = before.iter().filter(|(file, text)| after.get(*file) != Some(*text));
        let changed: Vec<&String> = changed.map(|(file, _)| file).collect();
        assert_eq!(changed, [catalog], "{kind}: one changed file");

        let (old, new) = (lines(&before[catalog]), lines(&after[catalog]));
        assert!(new.len() <= old.len() + 2, "{kind}: at most two lines");
        assert!(new.iter().all(|line| line.chars().count() <= 100), "{kind}: rustfmt keeps them");
        let module = name.replace('-', "_");
        let kept: Vec<&String> = new.iter().filter(|line| !line.contains(&module)).collect();
        assert_eq!(kept, old.iter().collect::<Vec<_>>(), "{kind}: nothing else changed");
    }
    // All of them in one build, with every test of their rooms: those that visit each kind are among them.
    let rooms = KINDS.map(|[_, _, _, catalog]| package_of(catalog));
    let rooms = rooms.iter().flat_map(|room| ["--package", room]);
    let tried =
        copy.cargo(&["test", "--quiet", "--offline"].into_iter().chain(rooms).collect::<Vec<_>>());
    let said = String::from_utf8_lossy(&[tried.stdout, tried.stderr].concat()).into_owned();
    assert!(tried.status.success(), "{said}");
}

/// `harness/findings/src/gates/mod.rs` is of `wetdress-findings`.
fn package_of(file: &str) -> String {
    let room = file.split("/src/").next().and_then(|folder| folder.rsplit('/').next());
    format!("wetdress-{}", room.expect("a file of a room"))
}

#[test]
fn a_name_that_is_no_name_is_refused() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for wrong in ["Slow", "slow disk", "slow_disk", "9lives", "pause", ""] {
        let mut command = Command::new(&cargo);
        command.args(["run", "--quiet", "--offline", "--package", "xtask", "--"]);
        command.args(["new", "fault", wrong]);
        let out = command.current_dir(root()).output().expect("cargo runs");
        assert!(!out.status.success(), "`{wrong}` was taken");
    }
}
