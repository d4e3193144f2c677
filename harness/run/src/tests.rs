//! A folder written, killed at some moment, and read back.

use std::{fs, process::Command, sync::Arc, time::Duration};

use model::{
    Attempt, Event, Identity, Micros, NodeIndex, Plan, Row, Sighting,
    ledger::Fate,
    load::{Load, Piece},
    plan::{Ack, Payload, Stream, StreamPhase},
    schedule::Schedule,
};
use serde_json::json;

use crate::{Count, Counted, Folder, Loaded, State, Summary, histogram};

fn sample(assets: u32, streams: Vec<Stream>) -> Plan {
    kit::plan::of(kit::plan::fleet(assets, streams))
}

fn streams() -> Vec<Stream> {
    let stream = |name: &str, every, phase| Stream {
        name: name.into(),
        every: Duration::from_millis(every),
        phase,
        jitter: Duration::from_millis(50),
        payload: Payload { p50: 450, p99: 900 },
        ack: Ack::Required,
    };
    vec![stream("status", 300, StreamPhase::Random), stream("allocs", 1100, StreamPhase::Aligned)]
}

fn acked(identity: Identity, ready: Micros) -> Row {
    let sent = Micros(ready.0 + 900);
    let acked = Some(Micros(sent.0 + i64::from(identity.asset) * 1000 + 5));
    let (position, by) = (Some(identity.seq * 3), Some(NodeIndex(1)));
    Row {
        identity,
        ready,
        attempts: [Attempt { sent }].into(),
        fate: Fate::Acked,
        acked,
        position,
        by,
        stored: identity.seq.is_multiple_of(7),
    }
}

/// Four seconds of a run of ten: everything acked but readings of asset 3, of which nothing is known; asset 4 with two attempts.
fn written(runs: &std::path::Path) -> (Folder, Vec<Row>) {
    written_by(&sample(8, streams()), runs)
}

fn written_by(plan: &Plan, runs: &std::path::Path) -> (Folder, Vec<Row>) {
    let folder = Folder::create(runs, "sample", plan, "scenario: sample\n").expect("a folder");
    folder.point_latest().expect("a link");
    let schedule = Arc::new(Schedule::new(plan));
    let mut ledger = folder.append_sender(0, schedule.clone()).expect("files").ledger;
    let observer =
        folder.append_sightings(&"log/west".into(), schedule.clone()).expect("sightings");
    let mut expected = vec![];
    for second in 0..4 {
        let (from, to) = (Micros(second * 1_000_000), Micros((second + 1) * 1_000_000));
        for (asset, stream, series) in schedule.all() {
            for (seq, ready) in series.times().filter(|(_, at)| (from..to).contains(at)) {
                let identity = Identity { asset, stream, boot: 1, seq };
                let mut row = acked(identity, ready);
                if asset == 4 {
                    row.attempts.push(Attempt { sent: Micros(ready.0 + 3) });
                    row.fate = Fate::Unknown;
                    row.acked = None;
                }
                if asset == 3 {
                    expected.push(super::loaded::pending(identity, ready));
                    continue;
                }
                observer.saw(Sighting {
                    identity,
                    at: Micros(to.0 + 5),
                    position: row.position,
                    intact: asset != 2,
                });
                expected.push(row.clone());
                ledger.push(row).expect("a row");
            }
        }
        ledger.cut(to).expect("a chunk");
    }
    observer.cut().expect("a chunk");
    expected.sort_by_key(|row| row.identity);
    (folder, expected)
}

#[test]
fn a_run_that_was_killed_reads_back() {
    let runs = tempfile::tempdir().expect("a directory");
    let (folder, expected) = written(runs.path());
    let journal = folder.journal().expect("a journal");
    journal.append(Micros(-5), Event::Armed).expect("an event");
    drop(journal);
    let mut torn = fs::read(folder.events()).expect("events");
    torn.extend(b"{\"number\":1,\"at");
    fs::write(folder.events(), torn).expect("events");
    let again = folder
        .journal()
        .expect("a journal")
        .append(Micros(9), Event::GenerationStopped)
        .expect("an event");
    assert_eq!(again.number, 1);

    let loaded = Loaded::open(runs.path().join("latest")).expect("a run");
    assert_eq!(loaded.summary.state, State::Running);
    assert_eq!(loaded.events.iter().map(|record| record.number).collect::<Vec<_>>(), [0, 1]);
    let generated = loaded.readings().expect("readings");
    assert_eq!(generated.until, Micros(4_000_000));
    assert_eq!(generated.rows, expected);
    let seen = loaded.sightings(&"log/west".into()).expect("sightings");
    assert_eq!(seen.len(), expected.iter().filter(|row| row.fate != Fate::Pending).count());
    assert!(seen.iter().all(|sighting| sighting.intact == (sighting.identity.asset != 2)));
    assert_eq!(loaded.sightings(&"nobody".into()).expect("no file").len(), 0);
}

#[test]
fn folders_are_never_written_over_and_latest_is_the_newest() {
    let runs = tempfile::tempdir().expect("a directory");
    let plan = sample(1, streams());
    let first = Folder::create(runs.path(), "drill", &plan, "").expect("a folder");
    let second = Folder::create(runs.path(), "drill", &plan, "").expect("a folder");
    assert_eq!(second.path(), runs.path().join("drill-2"));
    first.point_latest().expect("a link");
    second.point_latest().expect("a link");
    first
        .write_summary(&Summary::new(State::Finished, json!({"verdict": "pass"})))
        .expect("a summary");
    first.close().expect("a manifest");
    assert_eq!(Loaded::open(first.path()).expect("a run").summary.body["verdict"], "pass");
    let latest = Loaded::open(runs.path().join("latest")).expect("a run");
    assert_eq!((latest.summary.state, latest.plan), (State::Running, plan));
}

#[test]
fn counters_and_latencies_come_back() {
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "drill", &sample(1, streams()), "").expect("a folder");
    let of = Counted::Fabric([("packets".to_owned(), 3)].into());
    let count = Count { at: Micros(1_000_000), of };
    let plan = sample(1, streams());
    let mut files = folder.append_sender(0, Arc::new(Schedule::new(&plan))).expect("files");
    files.counts.append(&[count.clone(), count.clone()]).expect("two lines");
    let mut latencies = histogram();
    latencies.record_n(4_321, 10).expect("in range");
    for second in 0..2 {
        let log = &mut files.latency;
        log.append(
            "terminals/us west",
            Micros(second * 1_000_000),
            Duration::from_secs(1),
            &latencies,
        )
        .expect("a line");
    }
    let loaded = Loaded::open(folder.path()).expect("a run");
    assert_eq!(loaded.counts, [count.clone(), count]);
    let intervals = loaded.latencies().expect("a log");
    assert_eq!(intervals.len(), 2);
    assert_eq!(
        (intervals[1].tag.as_str(), intervals[1].start),
        ("terminals/us_west", Micros(1_000_000))
    );
    assert_eq!(intervals[1].histogram, latencies);
}

#[test]
fn damage_before_the_end_is_told() {
    let runs = tempfile::tempdir().expect("a directory");
    let (folder, _) = written(runs.path());
    let mut bytes = fs::read(folder.sender(0).readings()).expect("a ledger");
    bytes[40] ^= 1;
    fs::write(folder.sender(0).readings(), bytes).expect("a ledger");
    fs::write(folder.sender(0).counters(), "{}\n").expect("counters");
    let error = Loaded::open(folder.path()).expect_err("a bad line");
    assert!(error.to_string().contains("line 1"), "{error}");
    fs::remove_file(folder.sender(0).counters()).expect("it was there");
    let error = Loaded::open(folder.path()).expect("a run").readings().expect_err("a bad chunk");
    assert!(error.to_string().contains("checksum"), "{error}");
}

/// Another program, in another language, reads the same rows with the same intended times.
#[test]
fn the_python_reader_agrees() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/read_ledger.py");
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3");
        return;
    }
    let mut shaped = sample(8, streams());
    let piece = |at, from, to| Piece { at: Micros(at), from, to };
    let load = vec![
        piece(0, 100_000, 3_000_000),
        piece(1_234_567, 3_000_000, 3_000_000),
        piece(2_000_001, 5_000_000, 333_333),
        piece(3_000_000, 700_000, 700_000),
    ];
    shaped.fleets.values_mut().for_each(|fleet| fleet.load = Load(load.clone()));
    agree(&sample(8, streams()), script);
    agree(&shaped, script);
}

fn agree(plan: &Plan, script: &str) {
    let runs = tempfile::tempdir().expect("a directory");
    let (folder, expected) = written_by(plan, runs.path());
    assert!(expected.len() > 50, "{} rows", expected.len());
    let loaded = Loaded::open(folder.path()).expect("a run");
    let lines = |file: std::path::PathBuf| -> Vec<serde_json::Value> {
        let output = Command::new("python3")
            .args([script.as_ref(), folder.path(), file.as_path()])
            .output()
            .expect("python3 starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    };
    let rows: Vec<Row> = loaded.rows(0).expect("a ledger").collect::<Result<_, _>>().expect("rows");
    assert_eq!(
        lines(folder.sender(0).readings()),
        rows.iter().map(|row| json!(row)).collect::<Vec<_>>()
    );
    let seen = loaded.sightings(&"log/west".into()).expect("sightings");
    assert_eq!(
        lines(folder.sightings(&"log/west".into())),
        seen.iter().map(|row| json!(row)).collect::<Vec<_>>()
    );
}

/// A folder of another version holds the same names with other meanings: refused in a sentence, never read halfway.
#[test]
fn a_folder_of_another_format_is_refused_with_a_sentence() {
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "drill", &sample(1, streams()), "").expect("a folder");
    fs::write(folder.plan(), json!({"format": 2, "scenario": "drill"}).to_string())
        .expect("a plan");
    let refused = Loaded::open(folder.path()).expect_err("another format").to_string();
    assert!(
        refused.contains("format 2") && refused.contains("run the scenario again"),
        "{refused}"
    );
}

/// An archive may do without logs and packets; half of them is no copy of a run.
#[test]
fn what_decides_nothing_may_be_left_out_as_a_whole() {
    let runs = tempfile::tempdir().expect("a directory");
    let (folder, _) = written(runs.path());
    fs::create_dir(folder.packets()).expect("a new folder");
    let files = [
        folder.logs().join("a.log"),
        folder.logs().join("b.log"),
        folder.packets().join("1.pcapng"),
    ];
    files.iter().for_each(|file| fs::write(file, "words").expect("it can be written"));
    folder.close().expect("a manifest");
    assert!(Loaded::open(folder.path()).expect("a run").is_closed());
    fs::remove_file(&files[0]).expect("it is there");
    let refused = Loaded::open(folder.path()).expect_err("half of the logs").to_string();
    assert!(refused.contains("logs/a.log: it is missing"), "{refused}");
    fs::remove_dir_all(folder.logs()).expect("it is there");
    Loaded::open(folder.path()).expect("a run without logs");
    folder.remove_packets().expect("they are there");
    fs::create_dir(folder.packets()).expect("a new folder");
    Loaded::open(folder.path()).expect("nothing is asked of packets that a run let go");
}

/// Somebody keeps a run under this name.
#[test]
fn what_is_called_latest_and_is_no_link_is_left_alone() {
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "drill", &sample(1, streams()), "").expect("a folder");
    let latest = runs.path().join("latest");
    let refused = || {
        let refused = folder.point_latest().expect_err("it is no link").to_string();
        assert!(refused.contains("left as it is") && !latest.is_symlink(), "{refused}");
    };
    fs::create_dir(&latest).expect("it is free");
    refused();
    fs::remove_dir(&latest).expect("it is empty");
    fs::write(&latest, "kept").expect("it is free");
    refused();
    assert_eq!(fs::read_to_string(&latest).expect("text"), "kept");
}

#[test]
fn a_folder_is_held_until_nobody_holds_it() {
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "drill", &sample(1, streams()), "").expect("a folder");
    assert!(!folder.is_held());
    let held = folder.hold().expect("a lock");
    assert!(folder.is_held());
    drop(held);
    assert!(!folder.is_held());
}

#[test]
fn a_journal_says_once_how_a_run_ended() {
    let runs = tempfile::tempdir().expect("a directory");
    let folder = Folder::create(runs.path(), "drill", &sample(1, streams()), "").expect("a folder");
    let journal = folder.journal().expect("a journal");
    journal.append(Micros(7), Event::Armed).expect("an event");
    folder.journal().expect("a journal").broke("a reason").expect("an event");
    folder.journal().expect("a journal").broke("another one").expect("nothing to write");
    let events = Loaded::open(folder.path()).expect("a run").events;
    assert_eq!(events.len(), 2);
    assert_eq!((events[1].at, events[1].number), (Micros(7), 1));
    assert_eq!(events[1].event, Event::Broke { why: "a reason".into() });
}
