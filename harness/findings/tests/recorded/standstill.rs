//! The harness stands still for a while, the stack does nothing wrong: no gate that counts in time may fail for it.

use kit::recorded::{Drill, FAULT, HEAL, SECOND, STOP};
use model::event::LocalError;
use model::{Attempt, Event, LabEvent, Micros, ledger::Fate};
use serde_json::json;
use wetdress_findings::{Reason, Verdict};

use crate::{Judged, of};

/// Everything that was under way or due in the span was sent, and its answer read, at the end of it; the east has no fault.
fn still(drill: &mut Drill, (from, to): (i64, i64), told: bool) {
    for row in &mut drill.rows {
        let (ready, acked) = (row.ready.0, row.acked.expect("all are acked").0);
        if ready < to && from < acked && row.identity.asset >= 6 {
            row.attempts = [Attempt { sent: Micros(ready.max(to)) }].into();
            row.acked = Some(Micros(to + 5_000));
        }
    }
    if told {
        let (from, to) = (Micros(from), Micros(to));
        drill.tell(to.0, Event::Lab(LabEvent::Standstill { from, to }));
    }
}

fn asked() -> Drill {
    let mut drill = Drill::clean();
    drill.gate("outage.longest", json!({"max": "9s"}));
    drill.gate("asset_seconds_lost", json!({"max": 70.0}));
    drill.gate("goodput", json!({"min": "0.9 x baseline", "during": "outage", "of": "control"}));
    drill
}

#[test]
fn what_a_standstill_hid_is_left_out_whatever_became_of_it() {
    let (early, late) = (FAULT + 2 * SECOND, HEAL + SECOND);
    for (from, lasted, gates) in [
        (early, 5, &["asset_seconds_lost", "goodput"][..]),
        (late, 10, &["outage.longest", "asset_seconds_lost"]),
    ] {
        for told in [false, true] {
            let mut drill = asked();
            still(&mut drill, (from, from + lasted * SECOND), told);
            let (found, verdicts) = drill.judge();
            for gate in gates {
                assert_eq!(of(&verdicts, gate) == Verdict::Fail, !told, "{gate}, told: {told}");
            }
            let hidden = found.outages.iter().all(|outage| outage.asset < 6);
            assert_eq!(hidden, told, "nobody in the east was out: {:?}", found.outages);
            let said = verdicts.gates.iter().find(|gate| gate.kind == "goodput").expect("asked");
            let words = format!("the harness stood still 1 time, {lasted} s in all");
            assert_eq!(said.evidence.contains(&words), told, "{}", said.evidence);
        }
    }
}

/// West comes back within the standstill: nobody can say when, and the end that was seen fails the gate.
#[test]
fn an_outage_that_only_a_standstill_makes_long_does_not_fail() {
    let mut drill = asked();
    let (from, to) = (FAULT + 6 * SECOND, FAULT + 16 * SECOND);
    for row in drill.rows.iter_mut().filter(|row| row.identity.asset < 6) {
        if (from..to).contains(&row.ready.0) {
            row.acked = Some(Micros(to + 5_000));
        }
    }
    let longest = |drill: &Drill| {
        let gate = drill.judge().1.gates.into_iter().find(|gate| gate.kind == "outage.longest");
        let gate = gate.expect("asked");
        (gate.verdict, gate.why)
    };
    assert_eq!(longest(&drill).0, Verdict::Fail);
    let (from, to) = (Micros(from), Micros(to));
    drill.tell(to.0, Event::Lab(LabEvent::Standstill { from, to }));
    let (verdict, why) = longest(&drill);
    assert_eq!(verdict, Verdict::Inconclusive);
    let why = why.expect("a reason");
    assert!(why.starts_with("the harness stood still 1 time, 10 s in all"), "{why}");
}

/// A failure that is there without what the standstill hid stays one.
#[test]
fn a_standstill_excuses_nothing_else() {
    let mut drill = asked();
    drill.gate("rto", json!({"max": "3s"}));
    let (from, to) = (Micros(STOP - 5 * SECOND), Micros(STOP - 4 * SECOND));
    drill.tell(to.0, Event::Lab(LabEvent::Standstill { from, to }));
    let (_, verdicts) = drill.judge();
    assert_eq!(
        (of(&verdicts, "rto"), of(&verdicts, "outage.longest")),
        (Verdict::Fail, Verdict::Pass)
    );
}

/// An outage of which the disk may be the cause, directly or by what came of it, is no failure; whatever else the gates count is.
#[test]
fn what_came_of_a_disk_that_stood_still_is_not_the_stacks_failure() {
    let judged = |from: i64, lasted: i64| {
        let mut drill = asked();
        drill.gate("rto", json!({"max": "3s"}));
        drill.health(|_| ());
        let (from, to) = (Micros(from), Micros(from + lasted));
        drill.tell(to.0.max(0), Event::Lab(LabEvent::DiskStalled { from, to }));
        let gate =
            drill.judge().1.gates.into_iter().find(|gate| gate.kind == "rto").expect("asked");
        (gate.verdict, gate.why.unwrap_or_default(), gate.evidence)
    };
    let (verdict, why, evidence) = judged(FAULT + SECOND, SECOND / 2);
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(why.starts_with("this machine's disk stood still 1 time, 500 ms in all: "), "{why}");
    assert!(
        evidence.ends_with("this machine's disk stood still 1 time, 500 ms in all"),
        "{evidence}"
    );
    // Theta is 1 s: a shorter stall makes no reading late by itself, and one before the drill made none.
    for (from, lasted) in [(FAULT + SECOND, SECOND / 2 - 1), (-3 * SECOND, SECOND)] {
        assert_eq!(judged(from, lasted).0, Verdict::Fail, "{from} {lasted}");
    }
}

/// The last readings before the end of traffic are answered only after it: by the harness, not by the stack.
#[test]
fn an_asset_is_not_stuck_because_the_harness_was() {
    for (told, expected) in [(false, Verdict::Fail), (true, Verdict::Pass)] {
        let mut drill = Drill::clean();
        let (from, to) = (Micros(STOP - 4 * SECOND), Micros(STOP));
        for row in drill.rows.iter_mut().filter(|row| row.ready >= from) {
            (row.fate, row.acked) = (Fate::Unknown, None);
        }
        if told {
            drill.tell(to.0, Event::Lab(LabEvent::Standstill { from, to }));
        }
        assert_eq!(of(&drill.judge().1, "stuck_assets"), expected, "told: {told}");
    }
}

#[test]
fn lateness_voids_every_gate_that_counts_in_time() {
    let mut drill = asked();
    let gates = ["outage.longest", "asset_seconds_lost", "goodput", "stuck_assets"];
    let said = |drill: &Drill| gates.map(|gate| of(&drill.judge().1, gate));
    // 5 % of theta, which is 1 s.
    drill.health(|health| health.schedule_lag_p99_us = 49_000);
    assert_eq!(said(&drill), [Verdict::Pass; 4]);
    drill.health(|health| health.schedule_lag_p99_us = 51_000);
    assert_eq!(said(&drill), [Verdict::Inconclusive; 4]);
    assert_eq!(of(&drill.judge().1, "acked_lost"), Verdict::Pass, "it counts no time");
}

/// Whatever this machine refused the harness, the stack is not to blame for readings that never left.
#[test]
fn refusals_of_this_machine_void_what_counts_in_time() {
    let mut drill = asked();
    for row in drill.rows.iter_mut().filter(|row| row.identity.asset == 8 && row.ready.0 > HEAL) {
        (row.fate, row.acked) = (Fate::Pending, None);
    }
    assert_eq!(of(&drill.judge().1, "stuck_assets"), Verdict::Fail);
    drill.health(|health| health.local_errors = [(LocalError::TooManyOpenFiles, 312)].into());
    let (_, verdicts) = drill.judge();
    for gate in ["outage.longest", "asset_seconds_lost", "goodput", "stuck_assets", "delivered"] {
        assert_eq!(of(&verdicts, gate), Verdict::Inconclusive, "{gate}");
    }
    assert_eq!(verdicts.verdict, Verdict::Inconclusive);
    assert_eq!(verdicts.voids[0].reason, Reason::LocalErrors);
    assert_eq!(
        verdicts.voids[0].sentence,
        "The harness itself ran out of file descriptors (too many open files) 312 times: raise the limit with `ulimit -n`."
    );
}
