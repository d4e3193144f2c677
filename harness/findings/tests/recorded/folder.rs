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

/// What became of them nobody knows: they are neither good nor lost, the others are judged, and the run is no pass.
#[test]
fn assets_of_a_lost_sender_are_censored_and_named_and_the_others_judged() {
    let mut drill = Drill::clean();
    let before = drill.judge().0;
    let lost = [drill.assets[0].asset, drill.assets[1].asset];
    let is_lost = |asset: u32| lost.contains(&asset);
    // Half of what they had acked is nowhere to be seen, and the rest was never acked.
    drill.seen(&["log", "now", "log.read_back"], |seen| {
        seen.retain(|s| !is_lost(s.identity.asset) || s.identity.seq < 5);
    });
    for row in drill.rows.iter_mut().filter(|row| is_lost(row.identity.asset)) {
        if row.identity.seq > 20 {
            (row.acked, row.fate) = (None, model::ledger::Fate::Pending);
        }
    }
    let assets = lost.map(|asset| asset..asset + 1).to_vec();
    drill.tell(0, Event::SenderLost { assets, why: "it was planted".into() });
    let (found, verdicts) = drill.judge();
    assert!(found.loss.lost.is_empty() && found.loss.unseen.is_empty());
    assert!(found.loss.acked < before.loss.acked, "the others are counted");
    assert_eq!(verdicts.verdict, Verdict::Inconclusive);
    assert!(verdicts.gates.iter().all(|gate| gate.verdict != Verdict::Fail), "{verdicts:?}");
    assert!(verdicts.gates.iter().any(|gate| gate.verdict == Verdict::Pass));
    let [void] = &verdicts.voids[..] else { panic!("one reason: {:?}", verdicts.voids) };
    assert_eq!(void.reason, Reason::SenderLost);
    assert!(void.sentence.contains("its 2 assets") && void.sentence.contains("it was planted"));
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
