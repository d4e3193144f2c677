//! Several scenarios in one invocation: mistakes of all before anything starts, one table, one exit code.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{FAILS, code, temporary, wetdress, words};

/// A folder of scenarios, and where their runs go.
struct Several {
    kept: TempDir,
}

impl Several {
    fn new(files: &[(&str, &str)]) -> Self {
        let kept = temporary();
        fs::create_dir(kept.path().join("drills")).expect("a new folder");
        for (name, text) in files {
            fs::write(kept.path().join("drills").join(name), text).expect("a file can be written");
        }
        Self { kept }
    }

    fn runs(&self) -> PathBuf {
        self.kept.path().join("runs")
    }

    fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        let mut command = wetdress(["run".as_ref(), "--runs".as_ref(), self.runs().as_os_str()]);
        command.args(words).current_dir(self.kept.path()).output().expect("the binary starts")
    }
}

/// The same drill with a limit that it keeps.
fn passes() -> String {
    FAILS.replace("scenario: partial", "scenario: whole").replace("a: []", "a: [b, c]")
}

/// A scenario whose server nobody has.
fn lacks() -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let text = fs::read_to_string(shipped.join("gates/nats-smoke.yaml")).expect("it is shipped");
    text.replace("[..", &format!("[{}", shipped.display()))
}

fn told(ran: &Output) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{}", words(ran)))
}

#[test]
fn a_folder_ends_with_one_table_and_one_exit_code() {
    let several =
        Several::new(&[("b.yaml", FAILS), ("a.yml", &passes()), ("notes.txt", "no scenario")]);
    let ran = several.run(["drills", "--table", "page.md"]);
    assert_eq!(code(&ran), 1, "{}", words(&ran));
    let table = String::from_utf8_lossy(&ran.stdout);
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("drills/")).collect();
    let [first, second] = rows[..] else { panic!("{table}") };
    assert!(first.contains("| drills/a.yml") && first.contains("| pass"), "{table}");
    assert!(
        second.contains("| drills/b.yaml") && second.contains("fail: outage.longest (exit 1)"),
        "{table}"
    );
    assert!(words(&ran).contains("1 passed, 1 failed, 0 inconclusive, 0 broke off, 0 not run"));
    let page = fs::read_to_string(several.kept.path().join("page.md")).expect("it was asked for");
    assert!(page.contains("| servers") && page.contains("drills/b.yaml"), "{page}");
    assert_eq!(fs::read_dir(several.runs()).expect("two runs and `latest`").count(), 3);
}

#[test]
fn each_of_several_times_has_a_run_of_its_own() {
    let several = Several::new(&[("a.yaml", &passes())]);
    let ran = several.run(["drills/a.yaml", "--times", "3", "--json"]);
    assert_eq!(code(&ran), 0, "{}", words(&ran));
    let told = told(&ran);
    let runs = told["runs"].as_array().expect("a list");
    let mut folders: Vec<&str> = runs.iter().filter_map(|run| run["folder"].as_str()).collect();
    folders.sort_unstable();
    folders.dedup();
    assert_eq!(folders.len(), 3, "{told}");
    for run in runs {
        assert_eq!(run["figures"]["verdict"], "pass", "{told}");
        assert_eq!(run["figures"], runs[0]["figures"], "a model in memory repeats itself");
    }
}

#[test]
fn a_mistake_in_one_starts_none() {
    let several = Several::new(&[("a.yaml", &passes()), ("b.yaml", "scenario: x\n")]);
    let ran = several.run(["drills"]);
    assert_eq!(code(&ran), 3, "{}", words(&ran));
    assert!(words(&ran).contains("b.yaml"), "{}", words(&ran));
    assert!(!several.runs().exists(), "nothing was started");
}

#[test]
fn a_missing_server_starts_none_unless_it_may_be_skipped() {
    let several = Several::new(&[("a.yaml", &passes()), ("b.yaml", &lacks())]);
    let run = |more: &[&str]| {
        let mut command = wetdress(["run", "drills", "--runs", "runs"]);
        // No folder of servers is here, and no program of theirs on the path.
        command.args(more).env("XDG_DATA_HOME", several.kept.path()).env("PATH", "/nowhere");
        command.current_dir(several.kept.path()).output().expect("the binary starts")
    };
    let refused = run(&[]);
    assert_eq!(code(&refused), 4, "{}", words(&refused));
    assert!(words(&refused).contains("--skip-missing"), "{}", words(&refused));
    assert!(!several.runs().exists(), "nothing was started");
    let skipped = run(&["--skip-missing"]);
    assert_eq!(code(&skipped), 0, "{}", words(&skipped));
    for part in ["skipped: drills/b.yaml", "nats-server", "1 passed", "1 not run"] {
        assert!(words(&skipped).contains(part), "{part} in {}", words(&skipped));
    }
}

#[test]
fn what_cannot_be_run_is_said() {
    let several = Several::new(&[]);
    let empty = several.run(["drills"]);
    assert_eq!(code(&empty), 64, "{}", words(&empty));
    assert!(words(&empty).contains("no scenario"), "{}", words(&empty));
    let several = Several::new(&[("a.yaml", &passes())]);
    let unwritable = several.run(["drills", "--table", "/dev/full"]);
    assert_eq!(code(&unwritable), 5, "{}", words(&unwritable));
    assert!(words(&unwritable).contains("1 passed"), "{}", words(&unwritable));
}
