//! A folder that came over incomplete is refused by the name of what is missing, and what is in it stays as it is.

use std::fs;

use crate::stage::{Copy, code, words};

/// Neither command says a verdict, and neither touches what was said before.
fn refused(spoiled: &Copy, name: &str) {
    let before: Vec<_> = ["run.json", "junit.xml"].map(|kept| spoiled.read(kept)).into();
    for verb in ["judge", "report"] {
        let said = spoiled.command(verb);
        let words = words(&said);
        assert_eq!(code(&said), 5, "{verb} without {name}: {words}");
        assert!(words.contains(name), "{verb} names {name}: {words}");
        assert!(words.contains("copy it again"), "{words}");
        assert!(said.stdout.is_empty(), "{words}");
    }
    let after: Vec<_> = ["run.json", "junit.xml"].map(|kept| spoiled.read(kept)).into();
    assert_eq!(before, after, "what was found in the whole run stays");
}

#[test]
fn a_whole_copy_is_judged_as_the_run_was() {
    let whole = Copy::new();
    let before = whole.summary();
    let judged = whole.command("judge");
    assert_eq!(code(&judged), 1, "{}", words(&judged));
    assert_eq!(whole.summary(), before);
    let reported = whole.command("report");
    assert_eq!(code(&reported), 0, "{}", words(&reported));
}

/// Whatever the run recorded: without the file, with a part of it, and with one byte changed.
#[test]
fn every_file_of_the_record_must_be_whole() {
    let manifest: serde_json::Value =
        serde_json::from_slice(&Copy::new().read("manifest.json")).expect("JSON");
    let names: Vec<&String> = manifest["files"].as_object().expect("by name").keys().collect();
    for wanted in [
        "assets.jsonl",
        "counters.jsonl",
        "events.jsonl",
        "latency.hlog",
        "ledger/observer-store-record.chunks",
        "ledger/observer-store-record.read_back.chunks",
        "ledger/readings.chunks",
        "plan.yaml",
        "scenario.yaml",
        "shards.jsonl",
    ] {
        assert!(names.iter().any(|name| *name == wanted), "{wanted} in {names:?}");
    }
    for name in names {
        let spoiled = Copy::new();
        let whole = spoiled.read(name);
        fs::remove_file(spoiled.file(name)).expect("it was copied");
        // Without its plan nothing is known of a run.
        if name != "plan.yaml" {
            refused(&spoiled, name);
        }
        if name == "plan.yaml" {
            continue;
        }
        fs::write(spoiled.file(name), &whole[..whole.len() / 3]).expect("it can be written");
        refused(&spoiled, name);
        let mut changed = whole.clone();
        *changed.last_mut().expect("no file is empty") ^= 1;
        fs::write(spoiled.file(name), changed).expect("it can be written");
        refused(&spoiled, name);
        fs::write(spoiled.file(name), whole).expect("it can be written");
        assert_eq!(code(&spoiled.command("judge")), 1, "{name} is whole again");
    }
}

#[test]
fn a_finished_run_without_its_manifest_is_refused() {
    let spoiled = Copy::new();
    fs::remove_file(spoiled.file("manifest.json")).expect("it was copied");
    refused(&spoiled, "manifest.json");
}

#[test]
fn a_line_of_the_journal_that_is_missing_is_noticed_also_in_a_run_that_was_killed() {
    let spoiled = Copy::new();
    let text = String::from_utf8(spoiled.read("events.jsonl")).expect("JSON is text");
    let lines: Vec<&str> =
        text.lines().enumerate().filter(|(n, _)| *n != 19).map(|(_, l)| l).collect();
    fs::write(spoiled.file("events.jsonl"), lines.join("\n") + "\n").expect("it can be written");
    refused(&spoiled, "events.jsonl");

    fs::remove_file(spoiled.file("manifest.json")).expect("it was copied");
    let running = serde_json::json!({"format": 2, "state": "running", "body": null});
    fs::write(spoiled.file("run.json"), running.to_string()).expect("it can be written");
    let said = spoiled.command("judge");
    assert_eq!(code(&said), 5, "{}", words(&said));
    assert!(words(&said).contains("after 19 events"), "{}", words(&said));
    assert_eq!(spoiled.summary(), running);
}

/// The supervisor was killed after the lab had been closed and before it had written down what the folder holds.
#[test]
fn a_run_whose_record_was_never_closed_is_not_a_verdict() {
    let killed = Copy::new();
    fs::remove_file(killed.file("manifest.json")).expect("it was copied");
    let running = serde_json::json!({"format": 2, "state": "running", "body": null});
    fs::write(killed.file("run.json"), running.to_string()).expect("it can be written");
    let said = killed.command("judge");
    assert!(words(&said).contains("before its record was closed"), "{}", words(&said));
    assert_eq!(killed.summary()["state"], "running");
    assert_eq!(code(&killed.command("judge")), code(&said), "and so it stays");
}

#[test]
fn a_summary_of_another_format_is_refused_by_its_name() {
    let other = Copy::new();
    let text = String::from_utf8(other.read("run.json")).expect("JSON is text");
    let changed = text.replacen("\"format\": 2", "\"format\": 3", 1);
    assert_ne!(text, changed);
    fs::write(other.file("run.json"), &changed).expect("it can be written");
    for verb in ["judge", "report"] {
        let said = other.command(verb);
        assert_eq!(code(&said), 5, "{}", words(&said));
        assert!(words(&said).contains("run.json: it is of format 3"), "{}", words(&said));
    }
    assert_eq!(other.read("run.json"), changed.as_bytes());
}
