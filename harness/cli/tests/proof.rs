//! No proof, no pass: a fault that works, and hits nobody.

mod drill;

use drill::run;

const NOBODY: &str = "scenario: a-port-that-nobody-uses
seed: 3
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services:
    store: {kind: reference, nodes: {us-west: 1, us-east: 1, eu-west: 1}}
traffic:
  fleets:
    terminals:
      assets: 30
      streams: {status: {every: 500ms, payload: 128B}}
phases:
  - {name: warmup, for: 1s, measure: false}
  - {name: baseline, for: 6s}
  - {name: outage, for: 4s}
  - {name: recovery, for: 2s}
  - {name: verify, until: quiesced, max: 15s}
faults:
  - {id: cut-discard, at: outage, partition: {isolate: {node: store-us-west-1}, ports: [9]}}
";

#[test]
fn a_partition_on_a_port_that_nobody_uses_is_inconclusive_although_its_canary_was_dropped() {
    let Some(ran) = run(NOBODY) else { return };
    let events = ran.events();
    let canaries: Vec<bool> =
        events.iter().filter_map(|e| e["canary"]["passed"].as_bool()).collect();
    assert!(canaries.contains(&false), "the canary shows that the rule works:\n{}", ran.said);
    assert!(
        !events.iter().any(|e| e["what"] == "proven"),
        "and nothing of the stack was hit:\n{}",
        ran.said
    );
    assert_eq!(ran.exit, 2, "{}", ran.said);
    let voids = ran.verdicts["voids"].as_array().expect("a list");
    assert!(voids.iter().any(|void| void["reason"] == "no_proof"), "{}", ran.said);
}
