//! What was asked for on stdout and cannot be written is an error, and nothing that cannot be shown changes a run.

use std::{
    fs::{self, OpenOptions},
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::stage::{Copy, FAILS, code, scenario, wetdress, words};

/// Takes every byte of a write and fails, as a full disk does.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it").into()
}

fn on_full_stdout(command: &mut Command) -> Output {
    command.stdout(full()).output().expect("the binary starts")
}

#[test]
fn data_that_cannot_be_written_is_the_exit_code() {
    let (_kept, file, runs) = scenario(FAILS);
    let (file, runs) = (file.to_string_lossy(), runs.to_string_lossy());
    let copy = Copy::new();
    let folder = copy.file("").to_string_lossy().into_owned();
    let commands: [&[&str]; 14] = [
        &["--help"],
        &["--version"],
        &["check", &file, "--json"],
        &["plan", &file],
        &["plan", &file, "--json"],
        &["plan", &file, "--expand"],
        &["run", &file, "--runs", &runs],
        &["run", &file, "--runs", &runs, "--json"],
        &["judge", &folder],
        &["explain", "kill"],
        &["explain", "--all"],
        &["schema"],
        &["list"],
        &["list", "--json"],
    ];
    for words in commands {
        let said = on_full_stdout(&mut wetdress(words));
        let complaint = String::from_utf8_lossy(&said.stderr);
        assert_eq!(code(&said), 5, "{words:?}: {complaint}");
        assert!(complaint.contains("failed to write to standard output"), "{words:?}: {complaint}");
        assert!(!complaint.contains("panicked"), "{words:?}: {complaint}");
    }
    assert_eq!(copy.summary()["state"], "finished", "what was found is kept all the same");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = wetdress(["schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Nobody reads any more.
    drop(child.stdout.take());
    let said = child.wait_with_output().expect("it ends");
    assert_eq!((code(&said), words(&said).as_str()), (0, ""));
}

/// The verdict and the record are what they are without anybody watching.
#[test]
fn a_run_whose_progress_cannot_be_shown_is_the_same_run() {
    let (_kept, file, runs) = scenario(FAILS);
    let run = || {
        let mut command = wetdress(["run".as_ref(), file.as_os_str()]);
        command.args(["--runs".as_ref(), runs.as_os_str()]).stdout(Stdio::null());
        command
    };
    let seen = run().output().expect("the binary starts");
    let events = |runs: &Path| {
        let text = fs::read_to_string(runs.join("latest/events.jsonl")).expect("a journal");
        text.lines().count()
    };
    let whole = events(&runs);
    let unseen = run().stderr(full()).status().expect("the binary starts");
    assert_eq!((code(&seen), unseen.code()), (1, Some(1)), "{}", words(&seen));
    assert_eq!(events(&runs), whole);

    // A terminal that stands still: nobody reads until the run has ended.
    let mut child = run().stderr(Stdio::piped()).spawn().expect("the binary starts");
    let status = child.wait().expect("it ends");
    let mut late = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut late).expect("text");
    assert_eq!(status.code(), Some(1), "{late}");
    assert_eq!(events(&runs), whole);
}

/// No file may grow beyond a few KiB: plan and journal fit, the ledger does not.
#[test]
fn a_disk_that_fills_during_a_run_is_never_a_pass() {
    let passes = FAILS.replace("outage.longest: 10s", "outage.longest: 40s");
    let (_kept, file, runs) = scenario(&passes);
    for blocks in [8, 12, 16, 24, 32, 48] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let said = Command::new("sh")
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_wetdress"), "run"])
            .args([file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
            .output()
            .expect("a shell");
        // Where not even the plan fits, nothing was begun.
        assert!([4, 5].contains(&code(&said)), "{blocks} blocks: {}", words(&said));
        assert!(!words(&said).contains("panicked"), "{}", words(&said));
        let folders = fs::read_dir(&runs).expect("runs").flatten().map(|entry| entry.path());
        for folder in folders.filter(|path| path.join("events.jsonl").exists()) {
            let judged =
                wetdress(["judge".as_ref(), folder.as_os_str()]).output().expect("it starts");
            assert_ne!(code(&judged), 0, "{blocks} blocks: {}", words(&judged));
        }
    }
}
