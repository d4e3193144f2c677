//! Names that would meet.

use crate::{mistakes, refused};

/// `store` in `a-b` and `store-a` in `b` would both have a node called `store-a-b-1`.
#[test]
fn nodes_of_two_services_never_share_a_name() {
    let text = "
scenario: collide
stack:
  lab: pretend
  regions: {a-b: {}, b: {}, c: {}}
  services:
    store: {kind: pretend, nodes: {a-b: 1, b: 1, c: 1}}
    store-a: {kind: pretend, nodes: {b: 1, c: 1}}
traffic:
  fleets:
    t: {assets: 12, driver: {kind: pretend, service: store}, streams: {s: {every: 1s}}}
";
    let told = mistakes(text);
    let [only] = &told[..] else { panic!("{told:#?}") };
    let words = "8:5 `store-a-b-1` would be the node of service `store` in region `a-b` and of service `store-a` in region `b`";
    assert!(only.starts_with(words), "{only}");
    let apart = text.replace("store-a:", "shop:");
    assert_eq!(mistakes(&apart), Vec::<String>::new());
}

/// What an observer reads back in the end is kept under a name made of its own.
#[test]
fn observers_never_share_a_record() {
    let two = "observers:\n  - {name: log, service: store, region: b}\n  - {name: log.read_back, service: store, region: b}\n";
    let words =
        ["`log.read_back` would be the ledger of observer `log` and of observer `log.read_back`"];
    refused("", "", two, &words);
    let other = "observers:\n  - {name: log.read_back, service: store, region: b}\n  - {name: log, service: store, region: b}\n";
    refused("", "", other, &["`log.read_back` would be the ledger of"]);
    let same = "observers:\n  - {name: log, service: store, region: b}\n  - {name: log, service: store, region: a}\n";
    refused("", "", same, &["observer `log` is declared twice"]);
}

/// The cell of a fleet is `region/fleet`, and so is that of a region's observers.
#[test]
fn fleets_never_take_a_name_of_the_harness() {
    for name in ["probe", "observers"] {
        let words = format!("`{name}` is a name that the harness uses itself");
        refused("    t: {", &format!("    {name}: {{"), "", &[&words]);
    }
}
