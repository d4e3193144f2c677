//! Adding a kind costs one file and at most two lines, and what comes out builds and passes the tests that visit every kind.

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

fn texts(root: &Path, files: &[String]) -> BTreeMap<String, Vec<u8>> {
    files.iter().filter_map(|file| Some((file.clone(), fs::read(root.join(file)).ok()?))).collect()
}

#[test]
fn a_new_fault_is_one_file_and_two_lines() {
    let copy = tempfile::tempdir().expect("a temporary folder");
    let listed = files(&root());
    for (file, bytes) in texts(&root(), &listed) {
        let target = copy.path().join(&file);
        fs::create_dir_all(target.parent().expect("a file has a folder"))
            .expect("folders can be made");
        fs::write(target, bytes).expect("files can be written");
    }
    let before = texts(copy.path(), &listed);

    // The copy shares nothing with this build but the crates from outside: its rooms have other paths.
    let target = root().join("target/new-fault");
    let cargo = |args: &[&str]| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let out = Command::new(cargo)
            .args(args)
            .current_dir(copy.path())
            .env("CARGO_TARGET_DIR", &target)
            .output()
            .expect("cargo runs");
        assert!(
            out.status.success(),
            "cargo {}:\n{}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr)
        );
    };
    cargo(&[
        "run",
        "--quiet",
        "--offline",
        "--package",
        "xtask",
        "--",
        "new",
        "fault",
        "slow-clock",
    ]);
    cargo(&["test", "--quiet", "--offline", "--package", "wetdress-faults"]);

    let mut now = listed.clone();
    now.push("faults/src/slow_clock.rs".into());
    let after = texts(copy.path(), &now);
    assert!(after.contains_key("faults/src/slow_clock.rs"), "the file was written");
    assert_eq!(after.len(), before.len() + 1, "one new file");
    let changed: Vec<&String> = before
        .iter()
        .filter(|(file, text)| after.get(*file) != Some(*text))
        .map(|(file, _)| file)
        .collect();
    assert_eq!(changed, ["faults/src/lib.rs"], "one changed file");
    let lines =
        |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&before["faults/src/lib.rs"]), lines(&after["faults/src/lib.rs"]));
    assert!(new.len() <= old.len() + 2, "at most two lines");
    let kept: Vec<&String> = new.iter().filter(|line| !line.contains("slow_clock")).collect();
    assert_eq!(kept, old.iter().collect::<Vec<_>>(), "and nothing else changed");
}

#[test]
fn a_name_that_is_no_name_is_refused() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for wrong in ["Slow", "slow disk", "slow_disk", "9lives", "pause"] {
        let mut command = Command::new(&cargo);
        command.args([
            "run",
            "--quiet",
            "--offline",
            "--package",
            "xtask",
            "--",
            "new",
            "fault",
            wrong,
        ]);
        let out = command.current_dir(root()).output().expect("cargo runs");
        assert!(!out.status.success(), "`{wrong}` was taken");
    }
}
