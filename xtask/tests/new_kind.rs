//! Adding a kind costs one file and at most two lines, or a folder and a line of each file that lists crates; what comes out builds and passes the tests that visit every kind.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
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

    fn cargo(&self, args: &[&str]) {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let out = Command::new(cargo)
            .args(args)
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", root().join("target/new-kind"))
            // It is built once and runs for a moment.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .expect("cargo runs");
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(out.status.success(), "cargo {}:\n{said}", args.join(" "));
    }

    fn xtask(&self, words: &[&str]) {
        let run = ["run", "--quiet", "--offline", "--package", "xtask", "--"];
        self.cargo(&[&run, words].concat());
    }
}

fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// A kind in a file of its own: kind, name, the new file, and the file that lists it.
const FILES: [[&str; 4]; 3] = [
    ["fault", "slow-clock", "faults/src/slow_clock.rs", "faults/src/lib.rs"],
    [
        "gate",
        "odd-ones",
        "harness/findings/src/gates/odd_ones.rs",
        "harness/findings/src/gates/mod.rs",
    ],
    ["report", "chat", "reports/src/chat.rs", "reports/src/lib.rs"],
];

/// A kind in a folder of its own: kind, name, the new folder, and the files that get a line.
const FOLDERS: [(&str, &str, &str, &str); 2] = [
    ("lab", "toy-bench", "labs/toy-bench/", "harness/cli/src/labs.rs"),
    ("system", "toy-db", "systems/toy-db/", "harness/cli/src/catalogs.rs"),
];
const LISTS: [&str; 3] = ["Cargo.toml", "harness/cli/Cargo.toml", "xtask/tests/floors.rs"];

/// The files that differ, but for what cargo writes itself.
fn changed<'a>(before: &'a Texts, after: &Texts) -> Vec<&'a str> {
    let differs = before.iter().filter(|(file, text)| after.get(*file) != Some(*text));
    differs.map(|(file, _)| file.as_str()).filter(|file| *file != "Cargo.lock").collect()
}

fn one_file(copy: &mut Copy, [kind, name, file, catalog]: [&str; 4]) {
    let before = copy.texts();
    copy.xtask(&["new", kind, name]);
    copy.files.push(file.to_owned());
    let after = copy.texts();
    assert_eq!(after.len(), before.len() + 1, "{kind}: one new file, {file}");
    assert_eq!(changed(&before, &after), [catalog], "{kind}: one changed file");

    let (old, new) = (lines(&before[catalog]), lines(&after[catalog]));
    assert!(new.len() <= old.len() + 2, "{kind}: at most two lines");
    let module = name.replace('-', "_");
    let kept: Vec<&String> = new.iter().filter(|line| !line.contains(&module)).collect();
    assert_eq!(kept, old.iter().collect::<Vec<_>>(), "{kind}: nothing else changed");
}

fn one_folder(copy: &mut Copy, (kind, name, folder, catalog): (&str, &str, &str, &str)) {
    let before = copy.texts();
    copy.xtask(&["new", kind, name]);
    let after = copy.texts();
    let mut expected = [LISTS.as_slice(), &[catalog]].concat();
    expected.sort_unstable();
    assert_eq!(changed(&before, &after), expected, "{kind}: a line of each of these");
    for file in expected {
        let (old, new) = (lines(&before[file]), lines(&after[file]));
        assert!(new.len() <= old.len() + 1, "{kind}: one line of {file}");
    }
    let manifest = copy.folder.path().join(folder).join("Cargo.toml");
    assert!(manifest.exists(), "{kind}: {folder} was written");
}

/// All five are added to one copy, and built and tried together: the tests that visit every kind are among those of the rooms.
#[test]
fn a_new_kind_is_a_file_or_a_folder_and_a_line_and_it_builds() {
    let mut copy = Copy::new();
    FILES.into_iter().for_each(|kind| one_file(&mut copy, kind));
    FOLDERS.into_iter().for_each(|kind| one_folder(&mut copy, kind));
    let mut rooms: Vec<String> = FILES.map(|[_, _, _, catalog]| package_of(catalog)).into();
    rooms.extend(FOLDERS.map(|(_, name, ..)| format!("wetdress-{name}")));
    let rooms = rooms.iter().flat_map(|room| ["--package", room]);
    let test = ["test", "--quiet", "--offline"].into_iter().chain(rooms);
    copy.cargo(&test.collect::<Vec<_>>());
    copy.cargo(&["test", "--quiet", "--offline", "--package", "xtask", "--test", "floors"]);
    // The program takes both in.
    copy.cargo(&["check", "--quiet", "--offline", "--package", "wetdress"]);
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
