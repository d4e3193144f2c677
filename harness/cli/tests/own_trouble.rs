//! Whose fault it is: the harness's, this machine's, or the platform's. The scenarios lie in `cases`; each says what is right.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

struct Ran {
    exit: Option<i32>,
    said: String,
    summary: Value,
}

/// A case in a shell, where `before` has set it up.
fn run(case: &str, before: &str) -> Ran {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(case);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{before}\nexec \"$0\" run \"$1\" --runs \"$2\""));
    shell.arg(env!("CARGO_BIN_EXE_wetdress")).arg(case).arg(runs.path()).env("NO_COLOR", "1");
    let out = shell.output().expect("a shell");
    let read = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let said = read(out.stderr) + &read(out.stdout);
    let summary = fs::read(runs.path().join("latest/run.json"));
    let summary =
        serde_json::from_slice(&summary.unwrap_or_else(|_| panic!("no run.json:\n{said}")));
    Ran { exit: out.status.code(), said, summary: summary.expect("it is JSON") }
}

impl Ran {
    fn gate(&self, name: &str) -> &str {
        let gates = self.summary["body"]["verdicts"]["gates"].as_array().expect("gates");
        let gate = gates.iter().find(|gate| gate["name"] == name);
        gate.and_then(|gate| gate["verdict"].as_str())
            .unwrap_or_else(|| panic!("no {name}:\n{}", self.said))
    }
}

/// With one reading under way at a time the others wait for the answer before them: the platform's wait, and its failure.
#[test]
fn what_waits_for_an_answer_fails_the_platform_and_not_the_generator() {
    let ran = run("inflight-one.yaml", "");
    assert_eq!((ran.exit, ran.gate("outage.longest")), (Some(1), "fail"), "{}", ran.said);
    assert_eq!(ran.gate("latency.ack.p99"), "pass", "the calm baseline is what it is");
    let health = &ran.summary["body"]["findings"]["happened"]["health"];
    assert!(health["schedule_lag_p99_us"].as_u64().expect("a figure") <= 1_000, "{health}");
}

/// Whether this machine can open the lab of real servers at all.
fn lab_works() -> bool {
    let doctor = Command::new(env!("CARGO_BIN_EXE_wetdress")).arg("doctor").output();
    doctor.expect("the binary starts").status.success()
}

/// The plan's need of descriptors is known before anything starts.
#[test]
fn a_plan_that_the_limit_of_open_files_has_no_room_for_does_not_start() {
    if !lab_works() {
        return;
    }
    let ran = run("nofile.yaml", "ulimit -n 256");
    assert_eq!(ran.exit, Some(4), "{}", ran.said);
    for part in ["connections of 300 assets", "this machine allows 256", "prlimit", "--nofile="] {
        assert!(ran.said.contains(part), "{part}:\n{}", ran.said);
    }
    assert!(!ran.said.contains("lab open"), "{}", ran.said);
}

/// It is not waited for as one that is slow to come up, and the error has what it said.
#[test]
fn a_server_that_ends_at_once_is_not_waited_for() {
    if !lab_works() {
        return;
    }
    let ran = run("server-ends.yaml", "");
    assert_eq!(ran.exit, Some(4), "{}", ran.said);
    assert!(ran.said.contains("its process etcd on store-"), "{}", ran.said);
    assert!(ran.said.contains("it wrote last:"), "{}", ran.said);
}
