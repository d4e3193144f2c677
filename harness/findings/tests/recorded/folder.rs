//! What was not written down decides nothing.

use kit::recorded::Drill;
use model::Event;
use wetdress_findings::{Reason, Verdict};

use super::Judged;

/// Whatever the part would have shown, nobody knows it: the run is no pass, and the sentence says why.
#[test]
fn a_part_of_the_record_that_could_not_be_written_voids_the_run() {
    let mut drill = Drill::clean();
    assert_eq!(drill.judge().1.verdict, Verdict::Pass);
    let part = "a part of what log saw".to_owned();
    drill.tell(0, Event::Unwritten { part, why: "failed to append: no space left".into() });
    // Without what was not written the readings of the log look lost.
    drill.seen(&["log", "log.read_back"], |seen| seen.truncate(10));
    let (_, verdicts) = drill.judge();
    assert_eq!(verdicts.verdict, Verdict::Inconclusive);
    let void = verdicts.voids.iter().find(|void| void.reason == Reason::Unwritten);
    let sentence = &void.expect("it is a reason of its own").sentence;
    assert!(sentence.contains("what log saw") && sentence.contains("no space left"), "{sentence}");
}

/// Whoever was to say what the folder holds was killed before: what is missing there is not known.
#[test]
fn a_folder_that_nobody_closed_is_no_pass() {
    let runs = tempfile::tempdir().expect("a directory");
    let loaded = Drill::clean().written(runs.path());
    std::fs::remove_file(loaded.folder.manifest()).expect("it was written");
    let open = run::Loaded::open(loaded.folder.path()).expect("it reads like a killed run's");
    let (_, verdicts) = wetdress_findings::read_run::conclude(&open).expect("it can be judged");
    assert_eq!(verdicts.verdict, Verdict::Inconclusive);
    assert!(verdicts.voids.iter().any(|void| void.reason == Reason::BrokeOff));
}

/// A reading that the schedule has and the ledger has not is nothing that is waiting: the file is not the run's.
#[test]
fn a_finished_run_has_a_row_of_every_reading() {
    let runs = tempfile::tempdir().expect("a directory");
    let mut drill = Drill::clean();
    drill.rows.remove(7);
    let refused = drill.written(runs.path()).readings().expect_err("one is missing").to_string();
    assert!(refused.contains("readings.chunks: it has no row of"), "{refused}");
}
