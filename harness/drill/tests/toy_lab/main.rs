//! A lab is one file and one line in a catalog. Nothing else knows the lab by name: not the plan, not the run, not the findings.

#[path = "../build/mod.rs"]
mod build;
mod deaf;

use build::{Build, Played};
use findings::Verdict;
use model::Event;
use seams::{Catalog, catalog::System};
use wetdress_drill::DrillError;

/// The system of the lab `pretend`, at home in any lab.
static SYSTEM: System = System {
    name: "stones",
    lab: None,
    services: Catalog { noun: "service", kinds: pretend::SYSTEM.services.kinds },
    drivers: Catalog { noun: "driver", kinds: pretend::SYSTEM.drivers.kinds },
    observers: Catalog { noun: "observer", kinds: pretend::SYSTEM.observers.kinds },
};

const BUILD: Build = Build {
    labs: &Catalog { noun: "lab", kinds: &[pretend::LAB, deaf::LAB, deaf::FULL] },
    systems: &[&SYSTEM],
    faults: &faults::CATALOG,
};

fn scenario(links: &str, fault: &str) -> String {
    format!(
        "scenario: toy
stack:
  lab: {{kind: deaf, name: a lab of stones}}
  regions: {{us-west: {{}}, us-east: {{}}, eu-west: {{}}}}
  links: {{{links}}}
  services: {{store: {{kind: pretend, shards: 3, election_timeout: 1s}}}}
traffic:
  fleets:
    terminals:
      assets: 30
      streams: {{status: {{every: 1s, payload: 128B}}}}
      connection: {{connect_timeout: 1s, request_timeout: 1s, attempts: 1, backoff: {{base: 500ms, max: 1s}}}}
phases:
  - {{name: baseline, for: 30s}}
  - {{name: outage, for: 30s}}
  - {{name: recovery, for: 30s}}
  - {{name: verify, until: quiesced, max: 30s}}
faults:
  - {{id: hit, at: outage, {fault}}}
gates:
  - rto: 15s
"
    )
}

fn played(links: &str, fault: &str) -> Played {
    BUILD.play(BUILD.load(&scenario(links, fault)))
}

#[test]
fn a_lab_that_was_added_runs_a_plan_to_its_verdict() {
    let played = played("", "kill: {node: store-us-west-1}");
    assert!(played.result.is_ok(), "{:?}", played.result);
    assert_eq!(opened(&played), ("deaf".into(), "a lab of stones with 3 processes".into(), true));
    let (findings, verdicts) =
        findings::read_run::conclude(&played.loaded()).expect("the folder is whole");
    assert!(findings.happened.simulated, "its kind says so");
    assert_eq!(verdicts.verdict, Verdict::Pass, "{verdicts:#?}");
}

/// Kind and engine of the lab, and whether its runs are simulated.
fn opened(played: &Played) -> (String, String, bool) {
    let opened = |(_, event)| match event {
        Event::LabOpened { kind, engine, simulated, .. } => Some((kind, engine, simulated)),
        _ => None,
    };
    played.events().into_iter().find_map(opened).expect("the lab was opened")
}

#[test]
fn a_stack_that_runs_already_is_not_started() {
    static ELSEWHERE: Build =
        Build { labs: &Catalog { noun: "lab", kinds: &[deaf::ELSEWHERE] }, ..BUILD };
    let scenario =
        scenario("", "kill: {node: store-us-west-1}").replace("kind: deaf", "kind: elsewhere");
    let mut plan = ELSEWHERE.load(&scenario);
    plan.windows.clear();
    let played = ELSEWHERE.play(plan);
    assert_eq!(opened(&played).1, "a lab of stones with 0 processes");
}

fn refusal(links: &str, fault: &str) -> String {
    let played = played(links, fault);
    let Err(error @ DrillError::NotOffered { .. }) = &played.result else {
        panic!("{:?}", played.result)
    };
    error.to_string()
}

#[test]
fn what_the_lab_cannot_do_is_refused_with_its_place() {
    let said = refusal("", "partition: {isolate: {node: store-us-west-1}}");
    assert!(said.contains("drill.yaml:19:5: the fault `hit` needs Cut"), "{said}");
}

#[test]
fn a_fault_between_nodes_is_looked_at_wherever_its_targets_will_be() {
    let said = refusal("", "partition: {isolate: {role: leader, of: store/s0}, from: peers}");
    assert!(said.contains("the fault `hit` needs Cut"), "{said}");
}

#[test]
fn every_slot_of_a_track_is_looked_at() {
    let links = "us-west ~ us-east: {trace: [{at: 0s}, {at: 9s, loss: 1%}, {at: 20s, up: false}]}";
    let said = refusal(links, "kill: {node: store-us-west-1}");
    let line = "drill.yaml:5:11: the link `us-east ~ us-west` needs Cut, Loss";
    assert!(said.contains(line), "{said}");
}

/// The wait for a service that has ended, and that nobody starts again, ends with it: the error has its last words.
#[test]
fn a_server_that_ended_ends_the_wait_for_it() {
    let text = scenario("", "kill: {node: store-us-west-1}");
    let played = BUILD.play(BUILD.load(&text.replace("a lab of stones", deaf::SHORT_LIVED)));
    let error = played.result.as_ref().expect_err("it is gone");
    assert!(matches!(error, DrillError::Ended { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "bring up store: its process pretend on store-eu-west-1 ended (exited with code 2); it wrote last:\n  \
         pretend on store-eu-west-1 was tired"
    );
    let exits = played.events().iter().filter(|(_, event)| matches!(event, Event::Lab(_))).count();
    assert!(exits > 0, "the journal has it too");
}

/// What the machine has no room for is not begun: the lab is not opened.
#[test]
fn without_room_nothing_is_opened() {
    let text = scenario("", "kill: {node: store-us-west-1}").replace("kind: deaf", "kind: full");
    let played = BUILD.play(BUILD.load(&text));
    let error = played.result.as_ref().expect_err("there is no room");
    assert_eq!(error.to_string(), "hold 30 assets; make room");
    assert!(!played.events().iter().any(|(_, event)| matches!(event, Event::LabOpened { .. })));
}
