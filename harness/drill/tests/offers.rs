//! A lab that cannot do what a scenario asks for is told before anything starts, with the place in the file.

mod build;

use std::time::Duration;

use build::{Build, PRETEND};
use model::{Chance, Conditions, plan::Target};
use schemars::JsonSchema;
use seams::{Catalog, Fault, Moment, catalog::fault};
use serde::{Deserialize, Serialize};
use wetdress_drill::DrillError;

/// The lab in memory has messages, not packets: it does not duplicate, does not reorder and has no MTU.
fn refusal(build: &Build, links: &str, more: &str, faults: &str) -> String {
    let scenario = format!(
        "scenario: beyond
stack:
  lab: pretend
  regions: {{a: {{}}, b: {{}}}}
  links:
    {links}
  services: {{logs: {{kind: pretend, shards: 1}}}}
traffic:
  fleets:
    terminals:
      assets: 2
      {more}
      streams: {{status: {{every: 1s}}}}
phases:
  - {{name: baseline, for: 5s}}
  - {{name: outage, for: 20s}}
  - {{name: recovery, for: 10s}}
  - {{name: verify, until: quiesced, max: 20s}}
faults: [{faults}]
"
    );
    let played = build.play(build.load(&scenario));
    let events = played.events();
    match &played.result {
        Ok(()) => String::new(),
        Err(error @ DrillError::NotOffered { .. }) => {
            assert_eq!(events.len(), 1, "nothing was started: {events:?}");
            error.to_string()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_steady_link_is_not_ignored() {
    let said =
        refusal(&PRETEND, "a ~ b: {delay: 5ms, mtu: 1400B, duplicate: 50%, reorder: 20%}", "", "");
    assert!(
        said.contains(": drill.yaml:6:5: the link `a ~ b` needs Duplicate, Reorder, Mtu"),
        "{said}"
    );
    assert_eq!(said.matches("needs").count(), 1, "both ways are one line of the file: {said}");
}

#[test]
fn an_access_link_is_not_ignored() {
    let said = refusal(&PRETEND, "a ~ b: {delay: 5ms}", "access: {duplicate: 1%}", "");
    let line = "drill.yaml:12:7: the access of the fleet `terminals` needs Duplicate";
    assert!(said.contains(line), "{said}");
    assert_eq!(said.matches("needs").count(), 1, "two cells share it: {said}");
}

#[test]
fn a_fault_is_looked_at_where_it_stands() {
    let fault = "{id: doubled, at: outage, degrade: {around: {region: a}, duplicate: 10%}}";
    let said = refusal(&PRETEND, "a ~ b: {delay: 5ms}", "", fault);
    assert!(said.contains("drill.yaml:19:10: the fault `doubled` needs Duplicate"), "{said}");
}

/// A fault that asks for something new in the middle of its window.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Creeping {}

impl Fault for Creeping {
    fn targets(&self) -> Vec<Target> {
        vec![]
    }

    fn deed(&self) -> &'static str {
        "creeping over"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let mut world = Conditions::default();
        for link in now.topology.links().filter(|_| now.elapsed >= Duration::from_secs(3)) {
            world.quality_mut(link).duplicate = vec![Chance(1000)];
        }
        world
    }

    fn next_change(&self, elapsed: Duration) -> Option<Duration> {
        [1, 3, 900].map(Duration::from_secs).into_iter().find(|change| *change > elapsed)
    }
}

static CREEPING: Build = Build {
    faults: &Catalog { noun: "fault", kinds: &[fault::<Creeping>("creeping", "", "{}")] },
    ..PRETEND
};

#[test]
fn a_fault_is_looked_at_after_each_of_its_changes() {
    let fault = "{id: later, at: outage, creeping: {}}";
    let said = refusal(&CREEPING, "a ~ b: {delay: 5ms}", "", fault);
    assert!(said.contains("the fault `later` needs Duplicate"), "{said}");
}

#[test]
fn what_the_lab_does_runs() {
    let fault = "{id: slow, at: outage, degrade: {around: {region: a}, delay: 10ms}}";
    assert_eq!(refusal(&PRETEND, "a ~ b: {delay: 5ms}", "access: {loss: 1%}", fault), "");
}
