//! The embedded stack as a measuring object: what was planted in it, and journalled by it, is exactly what the findings say.

mod drill;

use std::collections::BTreeSet;

use drill::{Ran, run};
use serde_json::Value;

/// Asset, stream, boot, seq.
type Identity = (u64, u64, u64, u64);

fn scenario(planted: &str, gates: &str) -> String {
    format!(
        "scenario: planted
seed: 7
stack:
  regions: {{us-west: {{}}, us-east: {{}}, eu-west: {{}}}}
  links:
    us-west ~ us-east: {{delay: 2ms}}
    us-west ~ eu-west: {{delay: 3ms}}
    us-east ~ eu-west: {{delay: 3ms}}
  services:
    store: {{kind: reference, nodes: {{us-west: 1, us-east: 1, eu-west: 1}}, planted: {planted}}}
traffic:
  fleets:
    terminals:
      assets: 60
      streams: {{status: {{every: 500ms, payload: 128B}}}}
observers:
  - {{name: log, kind: reference, service: store, region: us-east, shows: log, of_record: true}}
  - {{name: now, kind: reference, service: store, region: eu-west, shows: current_value}}
phases:
  - {{name: warmup, for: 1s, measure: false}}
  - {{name: baseline, for: 9s}}
  - {{name: verify, until: quiesced, max: 15s}}
gates:
  - time_travel: {{max: 0}}
{gates}"
    )
}

fn identity(value: &Value) -> Identity {
    let part = |name: &str| value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"));
    (part("asset"), part("stream"), part("boot"), part("seq"))
}

fn identities(list: &Value) -> BTreeSet<Identity> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(identity).collect()
}

/// Instances of one defect that stand in the nodes' journals.
fn journal(ran: &Ran, defect: &str) -> Vec<Value> {
    let lines = ran.of_nodes("planted.jsonl");
    let key = |line: &Value| {
        (line["node"].to_string(), line["identity"].to_string(), line["position"].to_string())
    };
    let undone: Vec<_> = lines.iter().filter(|line| line["undone"] == true).map(key).collect();
    lines
        .into_iter()
        .filter(|line| {
            line["defect"] == defect && line["undone"] != true && !undone.contains(&key(line))
        })
        .collect()
}

fn planted(ran: &Ran, defect: &str) -> BTreeSet<Identity> {
    journal(ran, defect).iter().map(|line| identity(&line["identity"])).collect()
}

/// What the run says was lost, shown twice, and shown again after something newer.
fn found(ran: &Ran) -> [BTreeSet<Identity>; 3] {
    let findings = &ran.findings;
    let lost = identities(&findings["loss"]["lost"]);
    let duplicated = identities(&findings["duplicates"]["log.read_back"]["duplicated"]);
    let gone_back = identities(&findings["time_travel"]["now"]["gone_back"]);
    [lost, duplicated, gone_back]
}

#[test]
fn without_defects_nothing_is_found() {
    let Some(ran) = run(&scenario("{}", "")) else { return };
    assert_eq!(found(&ran), [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()], "{}", ran.said);
    assert_eq!(ran.exit, 0, "{}", ran.said);
}

#[test]
fn lost_acks_are_found_one_by_one() {
    let Some(ran) = run(&scenario("{lost_ack: {one_in: 40}}", "")) else { return };
    let planted = planted(&ran, "lost_ack");
    assert!(!planted.is_empty(), "nothing was planted");
    assert_eq!(found(&ran), [planted, BTreeSet::new(), BTreeSet::new()], "{}", ran.said);
    assert_eq!(ran.gate("acked_lost")["verdict"], "fail");
    assert_eq!(ran.exit, 1, "{}", ran.said);
}

#[test]
fn duplicates_are_found_one_by_one() {
    let Some(ran) = run(&scenario("{duplicate: {one_in: 40}}", "")) else { return };
    let planted = planted(&ran, "duplicate");
    assert!(!planted.is_empty(), "nothing was planted");
    assert_eq!(found(&ran), [BTreeSet::new(), planted, BTreeSet::new()], "{}", ran.said);
    assert_eq!(ran.gate("duplicates.unexplained")["verdict"], "fail");
    assert_eq!(ran.exit, 1, "{}", ran.said);
}

#[test]
fn values_that_go_back_in_time_are_found_one_by_one() {
    let Some(ran) = run(&scenario("{time_travel: {one_in: 40}}", "")) else { return };
    let planted = planted(&ran, "time_travel");
    assert!(!planted.is_empty(), "nothing was planted");
    assert_eq!(found(&ran), [BTreeSet::new(), BTreeSet::new(), planted], "{}", ran.said);
    assert_eq!(ran.gate("time_travel")["verdict"], "fail");
    assert_eq!(ran.exit, 1, "{}", ran.said);
}

#[test]
fn one_dead_shard_of_twelve_is_seen() {
    let Some(ran) = run(&scenario("{dead_shard: {shard: 5, after: 10s}}", "")) else { return };
    let dead: BTreeSet<u64> =
        journal(&ran, "dead_shard").iter().filter_map(|line| line["shard"].as_u64()).collect();
    assert_eq!(dead, BTreeSet::from([5]), "{}", ran.said);
    let by_shard = ran.findings["longest_outage"]["by_shard"].as_object().expect("a map of shards");
    let hit: Vec<&String> = by_shard
        .iter()
        .filter(|(_, longest)| longest["hit"].as_u64() > Some(0))
        .map(|(shard, _)| shard)
        .collect();
    assert_eq!(hit, ["store/s5"], "{}", ran.said);
    assert_eq!(ran.gate("stuck_assets")["verdict"], "fail");
    assert_eq!(ran.exit, 1, "{}", ran.said);
    assert_eq!(found(&ran), [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()], "{}", ran.said);
}

#[test]
fn stalls_count_from_the_intended_time() {
    let Some(ran) =
        run(&scenario("{stall: {for: 1500ms, every: 5s}}", "  - asset_seconds_lost: {max: 0}\n"))
    else {
        return;
    };
    let stalled = journal(&ran, "stall");
    let longest = stalled
        .iter()
        .filter_map(|line| line["held_us"].as_u64())
        .max()
        .expect("some request was held");
    let slowest = ran.findings["ack_latency"]["baseline"]["percentiles"]["p100"]["us"]
        .as_u64()
        .expect("a slowest reading");
    assert!(
        slowest >= longest,
        "the slowest reading took {slowest} us, a request was held {longest} us"
    );
    assert_eq!(ran.gate("asset_seconds_lost")["verdict"], "fail", "{}", ran.said);
    assert_eq!(ran.exit, 1, "{}", ran.said);
}
