//! How a run ended is read in its folder, and what is still going on is not judged.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::stage::{Copy, FAILS, code, scenario, wetdress, words};

/// Every file that people and machines read says it.
fn says(folder: &Path, reason: &str) {
    for name in ["events.jsonl", "run.json", "summary.txt", "junit.xml", "report.html"] {
        let text = fs::read_to_string(folder.join(name)).expect("it was written");
        assert!(text.contains(reason), "{name} says `{reason}`: {text}");
        assert!(!text.contains("normal day"), "{name}: {text}");
    }
}

/// The lab in memory has no packets that could be too large.
#[test]
fn why_a_run_did_not_begin_is_in_its_record() {
    let wants = "faults:\n  - {id: g, at: outage, degrade: {between: [{region: b}, {region: c}], mtu: 1400B}}";
    let (_kept, file, runs) = scenario(&FAILS.replace("faults:", wants));
    let said = wetdress(["run".as_ref(), file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
        .output()
        .expect("it starts");
    assert_eq!(code(&said), 4, "{}", words(&said));
    says(&runs.join("latest"), "needs Mtu");
    let summary = fs::read(runs.join("latest/run.json")).expect("it was written");
    let summary: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
    assert_eq!(summary["state"], "broke");
}

/// Where this machine allows namespaces at all, they can be forbidden.
#[test]
fn why_the_lab_could_not_be_entered_is_in_its_record() {
    let (_kept, file, runs) = scenario(
        "scenario: closed\n\
         stack: {lab: local, regions: {a: {}}, services: {store: {kind: reference, nodes: {a: 1}}}}\n\
         traffic: {fleets: {t: {assets: 1, streams: {s: {every: 1s}}}}}\n\
         phases: [{name: baseline, for: 1s}]\n",
    );
    let script = "echo 0 >/proc/sys/user/max_user_namespaces || exit 99; exec \"$@\"";
    let said = Command::new("unshare")
        .args(["-Ur", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_wetdress"), "run"])
        .args([file.as_os_str(), "--runs".as_ref(), runs.as_os_str()])
        .output();
    let Some(said) = said.ok().filter(|said| ![1, 99].contains(&code(said))) else {
        // There is no such program, or no namespace to forbid them in.
        return;
    };
    assert_eq!(code(&said), 4, "{}", words(&said));
    says(&runs.join("latest"), "make a user namespace");
}

#[test]
fn a_run_that_is_still_going_on_is_not_judged() {
    let copy = Copy::new();
    let before = copy.summary();
    let held = File::open(copy.file("")).expect("a folder");
    held.lock().expect("a lock");
    for verb in ["judge", "report"] {
        let said = copy.command(verb);
        assert_eq!(code(&said), 5, "{}", words(&said));
        assert!(words(&said).contains("still going on"), "{}", words(&said));
    }
    assert_eq!(copy.summary(), before);
    drop(held);
    assert_eq!(code(&copy.command("judge")), 1);
}

/// As in an archive; a folder in the place of the new file is what also keeps a root from writing.
#[test]
fn a_verdict_that_cannot_be_stored_is_told_all_the_same() {
    let copy = Copy::new();
    fs::create_dir(copy.file("run.json.new")).expect("a new folder");
    let judged = copy.command("judge");
    assert_eq!(code(&judged), 1, "{}", words(&judged));
    assert!(String::from_utf8_lossy(&judged.stdout).contains("outage.longest"), "the verdict");
    assert!(words(&judged).contains("nothing was stored"), "{}", words(&judged));
    let reported = copy.command("report");
    assert_eq!(code(&reported), 5, "{}", words(&reported));
}
