//! Whom gates look at: `goodput` where that is nobody, and who has a path under which lever.

use kit::recorded::{Drill, SECOND, west_to};
use model::{Event, Micros};
use serde_json::json;
use wetdress_findings::Verdict;

use crate::{Judged, of};

#[test]
fn a_fault_that_declares_nobody_leaves_everybody_in_control() {
    let mut drill = Drill::clean();
    drill.gate("goodput", json!({"min": "0.9 x baseline", "of": "control"}));
    for r in &mut drill.events {
        if let Event::FaultAsked { affected, .. } = &mut r.event {
            *affected = Default::default();
        }
    }
    let (found, verdicts) = drill.judge();
    assert!(found.episodes[0].affected.declared && found.episodes[0].affected.assets.is_empty());
    assert_eq!(of(&verdicts, "goodput"), Verdict::Fail, "west lost a fifth of all work");
    drill.events.retain(|r| !matches!(r.event, Event::RoleChanged { .. }));
    let (found, verdicts) = drill.judge();
    assert_eq!(
        (found.episodes[0].affected.declared, found.episodes[0].affected.assets.len()),
        (false, 6)
    );
    assert_eq!(of(&verdicts, "goodput"), Verdict::Inconclusive, "who is in control is not known");
}

#[test]
fn control_assets_that_suffer_fail_the_default_gate() {
    let mut drill = Drill::clean();
    for row in drill
        .rows
        .iter_mut()
        .filter(|r| r.identity.asset >= 6 && (72 * SECOND..88 * SECOND).contains(&r.ready.0))
    {
        row.acked = row.acked.map(|t| Micros(t.0 + 3 * SECOND));
    }
    assert_eq!(of(&drill.judge().1, "goodput"), Verdict::Fail);
}

#[test]
fn without_a_planned_fault_a_steady_run_passes() {
    let mut drill = Drill::clean();
    drill.gate("latency.ack.p90", json!({"max": "250ms"}));
    drill.plan.windows.clear();
    drill.events.retain(|r| {
        !matches!(
            r.event,
            Event::FaultAsked { .. } | Event::FaultClosed { .. } | Event::Proven { .. }
        )
    });
    for row in &mut drill.rows {
        row.acked = Some(Micros(row.ready.0 + 5_100));
    }
    let (found, verdicts) = drill.judge();
    assert!(found.episodes.is_empty());
    assert_eq!(verdicts.verdict, Verdict::Pass, "{}", verdicts.exit_reason);
    assert_eq!(of(&verdicts, "goodput"), Verdict::NotApplicable, "nobody is beside a fault");
    assert_eq!(verdicts.exit_reason, "all gates that apply passed, not applicable: goodput");
    drill.gate("goodput", json!({"min": "0.8 x baseline", "of": "all"}));
    let (_, verdicts) = drill.judge();
    assert_eq!(of(&verdicts, "goodput"), Verdict::Inconclusive, "it was asked for by hand");
}

#[test]
fn a_control_cohort_that_is_empty_by_declaration_is_not_applicable() {
    let mut drill = Drill::clean();
    for r in &mut drill.events {
        if let Event::FaultAsked { affected, .. } = &mut r.event {
            let parts = affected.0.get_mut("store").expect("the fault hits the store");
            parts.regions.insert("east".into());
        }
    }
    let (found, verdicts) = drill.judge();
    assert_eq!(found.episodes[0].affected.assets.len(), 12);
    let gate = verdicts.gates.iter().find(|g| g.name == "goodput").expect("it is always on");
    assert_eq!(
        (gate.verdict, gate.observed.as_str(), gate.why.as_deref()),
        (
            Verdict::NotApplicable,
            "-",
            Some("nobody is unaffected: the fault declares that it hits every asset")
        )
    );
    assert_eq!(verdicts.verdict, Verdict::Pass, "{}", verdicts.exit_reason);
}

#[test]
fn an_empty_affected_cohort_is_inconclusive() {
    let mut drill = Drill::clean();
    drill.gate("goodput", json!({"min": "0.5 x baseline", "of": "affected"}));
    for r in &mut drill.events {
        if let Event::FaultAsked { affected, .. } = &mut r.event {
            *affected = Default::default();
        }
    }
    let (_, verdicts) = drill.judge();
    let gate = verdicts.gates.iter().find(|g| g.name == "goodput").expect("it was asked for");
    assert_eq!(
        (gate.verdict, gate.why.as_deref()),
        (Verdict::Inconclusive, Some("a fault declares that it hits nobody"))
    );
}

/// Assets with a path, of the six in west, when the fault severs them from these nodes.
fn with_path(failover: &[&str], severed: &[&str]) -> u64 {
    let mut drill = Drill::clean();
    let fleet = drill.plan.fleets.values_mut().next().expect("the drill has a fleet");
    let elsewhere = failover.iter().map(|region| (*region).into()).collect();
    fleet.failover.insert("west".into(), elsewhere);
    for record in &mut drill.events {
        if let Event::FaultAsked { severed: told, .. } = &mut record.event {
            *told = severed.iter().map(|node| west_to(node)).collect();
        }
    }
    let (found, _) = drill.judge();
    assert_eq!(found.episodes[0].affected.assets.len(), 6);
    found.episodes[0].affected.with_path
}

/// An asset is excused from recovering where nothing passes between it and any node that it may go to, and nowhere else.
#[test]
fn only_what_severs_everything_takes_the_path() {
    let (west, east) = ("store-west", "store-east");
    assert_eq!(with_path(&[], &[west]), 0);
    assert_eq!(with_path(&[], &[]), 6, "a node that suffers and is reached");
    assert_eq!(with_path(&[], &[east]), 6, "a node that is not its own");
    assert_eq!(with_path(&["east"], &[west]), 6, "it may go elsewhere");
    assert_eq!(with_path(&["east"], &[west, east]), 0, "it is cut off there too");
}
