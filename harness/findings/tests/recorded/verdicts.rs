//! A clean drill passes with the right marks, and each defect is found by identity and fails the gate that is there for it.

use kit::recorded::{BACK, Drill, EFFECT, END, HEAL, SECOND};
use model::event::{HealedBy, Health};
use model::{End, Event, HeldRole, Identity, LabEvent, Link, Micros, NodeIndex, RoleKind};
use serde_json::json;
use wetdress_findings::facts::Proof;
use wetdress_findings::{MayStayOut, Reached, Reason, Verdict};

use crate::{Judged, of};

/// A reading of a west asset that was acked before the fault.
const EARLY: Identity = Identity { asset: 2, stream: 0, boot: 1, seq: 40 };
const LOG: [&str; 2] = ["log", "log.read_back"];

#[test]
fn a_clean_drill_passes_with_its_marks() {
    let mut drill = Drill::clean();
    drill.gate("rto", json!({"max": "12s"}));
    drill.gate("rto.service", json!({"max": "10s"}));
    drill.gate("rto.fresh", json!({"max": "12s"}));
    drill.gate("outage.longest", json!({"max": "12s"}));
    drill.gate("asset_seconds_lost", json!({"max": 100.0}));
    drill.gate("redundant", json!({"max": "5s", "after": "recovery"}));
    drill.gate("time_travel", json!({"max": 0}));
    drill.gate("latency.ack.p90", json!({"max": "250ms", "by": "region"}));
    drill.gate("latency.platform.p90", json!({"max": "250ms", "observer": "log"}));
    drill.gate("acked_lost.after_effect", json!({"max": 0}));
    let (found, verdicts) = drill.judge();
    assert_eq!(verdicts.voids, []);
    for gate in &verdicts.gates {
        assert_eq!(gate.verdict, Verdict::Pass, "{gate:?}");
    }
    assert_eq!(
        (verdicts.verdict, verdicts.gates.len()),
        (Verdict::Pass, 17),
        "ten of the plan and seven that are always on"
    );
    let [e] = found.episodes.as_slice() else { panic!("one fault, one episode") };
    assert_eq!((e.t_effect, e.affected.declared), (EFFECT, true));
    assert_eq!(e.affected.assets, [0, 1, 2, 3, 4, 5]);
    let rto = &e.rto[&MayStayOut::Nobody];
    assert_eq!(rto.reached, Reached::Measured);
    let value = rto.value.expect("it was measured");
    assert!((BACK - EFFECT..BACK - EFFECT + 2 * SECOND).contains(&value), "{rto:?}");
    let line = &e.timeline;
    assert_eq!((line.t2, line.t5), (Some(4 * SECOND), Some(value)));
    assert_eq!(
        (line.leaders[0].old.as_str(), line.leaders[0].new.as_deref()),
        ("store-west", Some("store-east"))
    );
    assert!(line.t3.is_some_and(|t3| t3 >= BACK - EFFECT), "{line:?}");
    assert_eq!(found.happened.windows[0].proof, Proof::Proven);
}

#[test]
fn a_lost_ack_fails_by_name() {
    let mut drill = Drill::clean();
    drill.seen(&LOG, |seen| seen.retain(|s| s.identity != EARLY));
    let (found, verdicts) = drill.judge();
    assert_eq!(found.loss.lost, [EARLY]);
    assert!(found.loss.reach > 0);
    assert_eq!((of(&verdicts, "acked_lost"), verdicts.verdict), (Verdict::Fail, Verdict::Fail));
    assert_eq!(verdicts.exit_reason, "failed: acked_lost, delivered");
}

#[test]
fn what_a_tail_saw_may_be_gone_and_what_it_missed_may_be_there() {
    let mut gone = Drill::clean();
    gone.seen(&["log.read_back"], |seen| seen.retain(|s| s.identity != EARLY));
    assert_eq!(gone.judge().0.loss.lost, [EARLY]);
    let mut missed = Drill::clean();
    missed.seen(&["log"], |seen| seen.retain(|s| s.identity != EARLY));
    let (found, verdicts) = missed.judge();
    assert_eq!((found.loss.count, of(&verdicts, "acked_lost")), (0, Verdict::Pass));
}

#[test]
fn without_the_systems_own_end_unseen_is_not_lost() {
    let mut drill = Drill::clean();
    drill.seen(&LOG, |seen| seen.retain(|s| s.identity != EARLY));
    drill.events.retain(|r| !matches!(r.event, Event::ObserverPassed { .. }));
    let (found, verdicts) = drill.judge();
    assert_eq!((found.loss.count, found.loss.unseen.as_slice()), (0, &[EARLY][..]));
    assert_eq!(
        (of(&verdicts, "acked_lost"), verdicts.verdict),
        (Verdict::Inconclusive, Verdict::Inconclusive)
    );
}

#[test]
fn a_duplicate_fails_by_name() {
    let mut drill = Drill::clean();
    drill.seen(&LOG, |seen| {
        let copy = *seen.iter().find(|s| s.identity == EARLY).expect("it was seen");
        seen.push(model::Sighting { position: Some(1_000_000), ..copy });
    });
    let (found, verdicts) = drill.judge();
    assert_eq!(found.duplicates["log.read_back"].unexplained_of, [EARLY]);
    assert_eq!(of(&verdicts, "duplicates.unexplained"), Verdict::Fail);
}

#[test]
fn time_travel_fails_by_name() {
    let mut drill = Drill::clean();
    drill.gate("time_travel", json!({"max": 0}));
    drill.seen(&["now"], |seen| {
        let old = *seen.iter().find(|s| s.identity == EARLY).expect("it was shown");
        seen.push(model::Sighting { at: Micros(60 * SECOND), ..old });
    });
    let (found, verdicts) = drill.judge();
    assert_eq!(found.time_travel["now"].gone_back, [EARLY]);
    assert_eq!(of(&verdicts, "time_travel"), Verdict::Fail);
}

#[test]
fn another_content_fails_by_name() {
    let mut drill = Drill::clean();
    drill.seen(&["log"], |seen| {
        seen.iter_mut().filter(|s| s.identity == EARLY).for_each(|s| s.intact = false)
    });
    let (found, verdicts) = drill.judge();
    assert_eq!(found.corrupt["log"], [EARLY]);
    assert_eq!(of(&verdicts, "corrupt"), Verdict::Fail);
}

#[test]
fn a_fault_without_effect_voids_the_run() {
    let mut drill = Drill::clean();
    drill.events.retain(|r| !matches!(r.event, Event::Proven { .. }));
    let (found, verdicts) = drill.judge();
    assert_eq!(found.happened.windows[0].proof, Proof::Unproven);
    assert_eq!(verdicts.voids.iter().map(|v| v.reason).collect::<Vec<_>>(), [Reason::NoProof]);
    assert_eq!(verdicts.verdict, Verdict::Inconclusive);
}

#[test]
fn coming_back_with_the_heal_is_no_failover() {
    let mut drill = Drill::clean();
    drill.gate("rto", json!({"max": "60s"}));
    for r in &mut drill.events {
        if matches!(r.event, Event::FaultClosed { .. }) {
            r.at = Micros(BACK - SECOND);
        }
    }
    let (found, verdicts) = drill.judge();
    assert_eq!(found.episodes[0].rto[&MayStayOut::Nobody].reached, Reached::RecoveredByHeal);
    assert_eq!(of(&verdicts, "rto"), Verdict::Fail);
}

#[test]
fn the_harness_own_lateness_voids_gates_on_time_only() {
    let own: [fn(&mut Health); 2] =
        [|health| health.schedule_lag_p99_us = 6_000, |health| health.loop_lag_p99_us = 6_000];
    for late in own {
        let mut drill = Drill::clean();
        drill.gate("rto", json!({"max": "60s"}));
        drill.gate("latency.ack.p90", json!({"max": "100ms"}));
        drill.health(late);
        let (_, verdicts) = drill.judge();
        let all = ["rto", "latency.ack.p90", "acked_lost"].map(|gate| of(&verdicts, gate));
        // 6 ms is more than 5 % of 100 ms.
        assert_eq!(all, [Verdict::Pass, Verdict::Inconclusive, Verdict::Pass]);
    }
}

#[test]
fn an_echo_beside_the_stack_judges_the_machine() {
    let mut drill = Drill::clean();
    drill.gate("rto", json!({"max": "60s"}));
    drill.gate("latency.ack.p90", json!({"max": "100ms"}));
    drill.health(|health| (health.null_count, health.null_p99_us) = (6_000, 7_000));
    let (_, verdicts) = drill.judge();
    assert_eq!(
        (of(&verdicts, "rto"), of(&verdicts, "latency.ack.p90")),
        (Verdict::Pass, Verdict::Inconclusive)
    );
    let gate = verdicts
        .gates
        .iter()
        .find(|gate| gate.name == "latency.ack.p90")
        .expect("it was asked for");
    assert_eq!(
        gate.why.as_deref(),
        Some("the null target took 7 ms to answer at its p99, this limit allows 5 ms")
    );
    assert_eq!(verdicts.voids, [], "slow is not lost");
    drill.health(|health| health.null_lost = 2);
    let (_, verdicts) = drill.judge();
    assert_eq!(
        verdicts.voids.iter().map(|v| v.reason).collect::<Vec<_>>(),
        [Reason::NullTargetLost]
    );
    assert_eq!(
        verdicts.voids[0].sentence,
        "The null target, which no fault touches, lost 2 of 6000 echoes."
    );
}

/// By canary or by a packet of the stack; before the cut it says nothing.
#[test]
fn a_cut_must_be_shown_to_have_healed() {
    let there = || Link::new(End::Node("store-west".into()), End::Node("store-east".into()));
    let back = || Link::new(there().to, there().from);
    let mut drill = Drill::clean();
    for link in [there(), back()] {
        drill.tell(EFFECT, Event::Lab(LabEvent::Canary { link, passed: false }));
    }
    drill
        .tell(EFFECT - SECOND, Event::Lab(LabEvent::Healed { link: there(), by: HealedBy::Stack }));
    let reasons = |drill: &Drill| {
        drill.judge().1.voids.into_iter().map(|v| (v.reason, v.sentence)).collect::<Vec<_>>()
    };
    let said = |sentence: &str| vec![(Reason::NotHealed, sentence.to_owned())];
    assert_eq!(reasons(&drill), [], "its process is down: nothing has to be shown");
    drill.tell(
        HEAL,
        Event::Lab(LabEvent::ProcessStarted { node: "store-west".into(), process: "store".into() }),
    );
    assert_eq!(
        reasons(&drill),
        said("The link from store-east to store-west and 1 more were not shown to have healed.")
    );
    drill.tell(HEAL + SECOND, Event::Lab(LabEvent::Healed { link: back(), by: HealedBy::Canary }));
    assert_eq!(
        reasons(&drill),
        said("The link from store-west to store-east was not shown to have healed.")
    );
    let mut late = drill.clone();
    late.events
        .iter_mut()
        .filter(|r| matches!(r.event, Event::FaultClosed { .. }))
        .for_each(|r| r.at = Micros(END - SECOND));
    assert_eq!(reasons(&late), [], "nobody had time to look");
    drill.tell(HEAL + SECOND, Event::Lab(LabEvent::Healed { link: there(), by: HealedBy::Stack }));
    assert_eq!(reasons(&drill), []);
}

/// A plan may end at a fixed time instead of waiting until everything is decided.
#[test]
fn a_plan_with_a_fixed_end_did_not_break_off() {
    let mut drill = Drill::clean();
    drill.plan.phases.pop();
    drill.events.retain(|r| !matches!(r.event, Event::Quiesced { .. }));
    let (found, verdicts) = drill.judge();
    assert_eq!((found.end, verdicts.voids.as_slice()), (120 * SECOND, &[][..]));
}

#[test]
fn what_nobody_asked_for_is_told() {
    let mut drill = Drill::clean();
    for r in &mut drill.events {
        match &mut r.event {
            Event::Lab(LabEvent::ProcessExited { asked, .. }) => {
                (*asked, r.at) = (false, Micros(30 * SECOND))
            }
            Event::Health(health) => health.fabric_drops = 3,
            _ => {}
        }
    }
    let (_, verdicts) = drill.judge();
    assert_eq!(
        verdicts.voids.iter().map(|v| v.reason).collect::<Vec<_>>(),
        [Reason::ExitBeforeFault, Reason::FabricDrops]
    );
    assert_eq!(of(&verdicts, "unexpected_exits"), Verdict::Fail);
}

/// A percentile needs no fault, and the default gates must not ask for one.
/// A cohort that is empty because the fault says so is nobody's pass and nobody's doubt.
/// An affected cohort that is empty is no such thing: somebody wanted to see it judged.
/// Roles are polled. A leader that acks before it is seen was elected before that ack.
#[test]
fn no_leader_is_elected_after_its_first_ack() {
    let mut drill = Drill::clean();
    let late = BACK + SECOND / 2;
    for r in &mut drill.events {
        if matches!(&r.event, Event::RoleChanged { node, .. } if node.as_str() == "store-east") {
            r.at = Micros(late);
        }
    }
    for row in &mut drill.rows {
        // Nodes stand in the order of their names: the east's comes first.
        row.by = row.acked.filter(|at| at.0 > EFFECT).map(|_| NodeIndex(0));
    }
    let line = &drill.judge().0.episodes[0].timeline;
    let (elected, acked) = (line.t2.expect("it was seen"), line.t3.expect("it acked"));
    assert!(acked < late - EFFECT, "the poll came after the ack: {line:?}");
    assert_eq!(elected, acked, "elected by the first ack at the latest");
}

#[test]
fn a_run_killed_in_the_middle_is_judged_and_inconclusive() {
    let mut drill = Drill::clean();
    let killed = Micros(85 * SECOND);
    drill.events.retain(|r| r.at < killed);
    for row in drill.rows.iter_mut().filter(|r| r.acked.is_some_and(|t| t >= killed)) {
        (row.acked, row.fate, row.position) = (None, model::ledger::Fate::Pending, None);
    }
    drill.seen(&["log", "now", "log.read_back"], |seen| seen.retain(|s| s.at < killed));
    let (_, verdicts) = drill.judge();
    let reasons: Vec<Reason> = verdicts.voids.iter().map(|v| v.reason).collect();
    assert!(
        reasons.contains(&Reason::BrokeOff) && reasons.contains(&Reason::NoHealth),
        "{reasons:?}"
    );
    assert_ne!(verdicts.verdict, Verdict::Pass);
    assert_ne!(of(&verdicts, "acked_lost"), Verdict::Fail, "nothing unread is called lost");
}

/// The same figures come from the folder as from memory.
#[test]
fn a_run_folder_is_judged_like_its_record() {
    let mut drill = Drill::clean();
    drill.seen(&LOG, |seen| seen.retain(|s| s.identity != EARLY));
    let (found, verdicts) = drill.judge();
    let runs = tempfile::tempdir().expect("a directory");
    let loaded = drill.written(runs.path());
    let (read, said) = wetdress_findings::read_run::conclude(&loaded).expect("the folder is whole");
    assert_eq!(read, found);
    assert_eq!(said, verdicts);
}

/// East's signal is lost from 75 s to 85 s, in the middle of the fault in west: planned silence is nobody's outage.
#[test]
fn planned_silence_is_no_outage() {
    let mut drill = Drill::clean();
    drill.gate("outage.longest", json!({"max": "12s"}));
    drill.gate("goodput", json!({"min": "0.9 x baseline", "of": "control", "during": "outage"}));
    drill.silence("east", &[(75, 85)]);
    let (found, verdicts) = drill.judge();
    assert_eq!(verdicts.voids, []);
    let east: Vec<_> = found.outages.iter().filter(|o| o.asset >= 6).collect();
    assert!(east.is_empty(), "{east:?}");
    let gate = |name: &str| {
        verdicts.gates.iter().find(|g| {
            g.name == name && g.limit.contains(if name == "goodput" { "0.9" } else { "" })
        })
    };
    for name in ["outage.longest", "goodput"] {
        let gate = gate(name).expect("it was asked for");
        assert_eq!(gate.verdict, Verdict::Pass, "{gate:?}");
    }
    let lowest = found.u.iter().map(|step| step.here).min();
    assert_eq!(lowest, Some(6), "only west is in contact then");
    assert_eq!(found.freshness["log"].contact_asset_us, 12 * 120 * SECOND - 6 * 10 * SECOND);
    let ack = &found.ack_latency["outage"];
    assert!(
        ack.percentiles["p50"].us < 10_000,
        "replayed readings count from when they were ready"
    );
}

/// West is out from 70 s on and out of contact from 72 s to 76 s: its outage clocks stand still meanwhile.
#[test]
fn outage_clocks_count_time_in_contact() {
    let lengths = |drill: &Drill| {
        drill
            .judge()
            .0
            .asset_outages
            .values()
            .flatten()
            .map(|outage| outage.length)
            .collect::<Vec<_>>()
    };
    let (without, mut drill) = (lengths(&Drill::clean()), Drill::clean());
    drill.silence("west", &[(72, 76)]);
    let with = lengths(&drill);
    assert_eq!((with.len(), without.len()), (6, 6));
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(without - with, 4 * SECOND);
    }
}

#[test]
fn an_asset_that_is_never_in_contact_is_not_one_that_always_is() {
    let mut drill = Drill::clean();
    drill.silence("east", &[(0, 125)]);
    let (found, _) = drill.judge();
    assert!(found.outages.iter().all(|o| o.asset < 6));
    assert_eq!(found.freshness["log"].contact_asset_us, 6 * 120 * SECOND);
}

#[test]
fn a_controller_has_a_t2() {
    let mut drill = Drill::clean();
    for record in &mut drill.events {
        if let Event::RoleChanged { role, .. } = &mut record.event {
            role.name = "controller".into();
        }
    }
    let (found, _) = drill.judge();
    assert_eq!(found.episodes[0].timeline.t2, Some(4 * SECOND));
}

/// Nobody writes to the quorum of the controllers: its new leader has nothing to ack, and T3 is that of the others.
#[test]
fn a_controller_that_nobody_writes_to_leaves_t3_alone() {
    let (mut drill, alone) = (Drill::clean(), Drill::clean().judge().0);
    let roles = drill.events.clone().into_iter().filter_map(|record| match record.event {
        Event::RoleChanged { service, node, term, .. } => {
            let role = HeldRole { name: "controller".into(), kind: RoleKind::Leads };
            Some((
                record.at,
                Event::RoleChanged { service, shard: "quorum".into(), node, role, term },
            ))
        }
        _ => None,
    });
    roles.for_each(|(at, event)| drill.tell(at.0, event));
    let (line, alone) = (&drill.judge().0.episodes[0].timeline, &alone.episodes[0].timeline);
    assert_eq!((line.leaders.len(), line.t2, line.t3), (2, Some(4 * SECOND), alone.t3));
    assert!(line.t3.is_some());
}
