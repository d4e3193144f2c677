//! Input that would be read and not used.

use document::{Ids, Kind, Node, SourceId, parse};
use model::Plan;

use crate::{
    DRILL,
    catalogs::catalogs,
    mistakes, refused,
    tree::{read, with, write},
};

/// Every mapping as a list, empty or of its values, and every list with an item more.
fn spoilt(root: &Node) -> Vec<(String, Node)> {
    let mut all = vec![];
    let item = |text: &str| Node { kind: read(text).kind, ..root.clone() };
    for node in root.all() {
        match &node.kind {
            Kind::Scalar { .. } => {}
            Kind::Map(entries) => {
                let values: Vec<Node> = entries.iter().map(|entry| entry.value.clone()).collect();
                for list in [vec![], values] {
                    let what = format!("{} -> a list of {}", write(node), list.len());
                    let change = |node: &mut Node| node.kind = Kind::List(list.clone());
                    all.push((what, with(root, node.id, &change)));
                }
            }
            Kind::List(_) => {
                for surplus in ["surplus", "{region: surplus}", "{}"] {
                    let change = |node: &mut Node| {
                        if let Kind::List(items) = &mut node.kind {
                            items.push(item(surplus));
                        }
                    };
                    let what = format!("{} and {surplus}", write(node));
                    all.push((what, with(root, node.id, &change)));
                }
            }
        }
    }
    all
}

/// Without what says how it was written.
fn meaning(plan: Plan) -> Plan {
    let mut plan = Plan { source: Default::default(), ..plan };
    plan.gates.iter_mut().for_each(|gate| gate.line = 0);
    plan
}

#[test]
fn a_list_where_a_mapping_belongs_and_an_item_too_many_are_refused_in_every_scenario() {
    let catalogs = catalogs();
    let mut tried = 0;
    for path in kit::shipped() {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("readable");
        let root = read(&text);
        let load = |node: &Node| plan::load(&write(node), &file, &catalogs).map(meaning);
        let whole = load(&root).unwrap_or_else(|mistakes| panic!("{file}: {mistakes}"));
        for (what, changed) in spoilt(&root) {
            tried += 1;
            let same = load(&changed).is_ok_and(|plan| plan == whole);
            assert!(!same, "{file}: no effect of {what}");
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn a_list_where_a_mapping_belongs_and_an_item_too_many_are_refused_by_every_kind() {
    let mut tried = 0;
    for family in catalogs().families() {
        for kind in &family.kinds {
            // Beside what is the engine's own.
            let root = read(kind.example).without(&["kind"]);
            let read = |node: &Node| {
                let mut problems = vec![];
                let text = write(node);
                let node = parse(&text, SourceId(0), &mut Ids::default(), &mut problems)?;
                let params = (kind.read)(&node, &mut problems);
                params.filter(|_| problems.is_empty())
            };
            // A profile has a name and no parameters.
            let Some(whole) = read(&root) else { continue };
            for (what, changed) in spoilt(&root) {
                tried += 1;
                let same = read(&changed).is_some_and(|params| params == whole);
                assert!(!same, "{} {}: no effect of {what}", family.noun, kind.name);
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn lists_are_not_read_position_by_position() {
    let list = ["a list where a mapping belongs"];
    refused("", "", "faults:\n  - {at: outage, kill: []}\n", &list);
    refused("", "", "gates:\n  - outage.longest: [10s, 1s]\n", &list);
    refused("1s}}}", "1s}}, connection: {backoff: [500ms, 2.0, 5s, full, junk]}}", "", &list);
    refused("1s}}}", "1s}}, recorder: {replay: [live_first]}}", "", &list);
    let sides = "faults:\n  - {at: outage, partition: {between: [{region: a}, {region: b}, {region: c}]}}\n";
    refused("", "", sides, &["an item too many: 2 items belong here", "Leave it out"]);
}

#[test]
fn what_stands_twice_is_refused() {
    let twice = ["the same item stands twice in one list"];
    refused("a: {}", "a: {zones: [u, v, u]}", "", &twice);
    refused("1s}}}", "1s}}, failover: {a: [b, c, b]}}", "", &twice);
    refused(
        "",
        "",
        "faults:\n  - {at: outage, kill: {service: store, exclude: [store-a-1, store-a-1]}}\n",
        &twice,
    );
    refused(
        "",
        "",
        "faults:\n  - {at: outage, partition: {isolate: {region: a}, ports: [80, 80]}}\n",
        &twice,
    );
    refused("", "", "reports: [html, html]\n", &twice);
    refused("", "", "gates:\n  - acked_lost: {max: 0}\n  - acked_lost: {max: 0}\n", &twice);
    refused(
        "",
        "",
        "gates:\n  - latency.ack.p99: {max: 1s, during: [baseline, baseline]}\n",
        &twice,
    );
    let pair = ["`a ~ b` is declared twice"];
    refused(
        "  services",
        "  links: {a ~ b: {delay: 1ms}, a~b: {delay: 2ms}}\n  services",
        "",
        &pair,
    );
    let follow = "faults:\n  - {at: outage, follow: true, kill: {role: leader, of: store/s0, follow: false}}\n";
    refused("", "", follow, &["`follow` is said twice"]);
}

#[test]
fn more_than_there_are_is_refused() {
    refused(
        "",
        "",
        "faults:\n  - {at: outage, kill: {service: store, mode: {fixed: 4}}}\n",
        &["4 nodes are to be hit, and 3 fit", "At most 3"],
    );
    refused(
        "",
        "",
        "safety: {tolerates: {regions: 4}}\n",
        &["the loss of 4 regions is to be borne, and there are 3"],
    );
    refused(
        "{kind: pretend}",
        "{kind: pretend, nodes: {a: 251}}",
        "",
        &["more than 250 nodes in `a`"],
    );
    let told = mistakes(&DRILL.replace("assets: 12", "assets: 70000")).join("\n");
    assert!(told.contains("no addresses are left for the assets of `t`"), "{told}");
}

#[test]
fn words_that_would_not_be_looked_at_are_refused() {
    let exit = "faults:\n  - {when: {event: process-exited, of: store, role: leader}, for: 5s, kill: {region: a}}\n";
    refused("", "", exit, &["a role says nothing about a process that ends"]);
    let exit =
        "faults:\n  - {when: {event: process-exited, of: store/s0}, for: 5s, kill: {region: a}}\n";
    refused("", "", exit, &["a shard says nothing about a process that ends"]);
    refused(
        "",
        "",
        "faults:\n  - {at: outage, kill: {region: a, follow: true}}\n",
        &["`follow` without a target that is named by role"],
    );
    refused(
        "",
        "",
        "gates:\n  - latency.ack.p99: {max: 1s, during: []}\n",
        &["an empty list of phases"],
    );
}

#[test]
fn anchors_and_merges_that_do_nothing_are_refused() {
    let drill = |by: &str| DRILL.replacen("1s}}}", by, 1);
    let told = |by: &str| mistakes(&drill(by)).join("\n");
    for (by, words) in [
        ("1s, <<: {}}}}", "`<<` merges nothing"),
        ("1s, <<: []}}}", "`<<` merges nothing"),
        ("1s, <<: 3}}}", "`<<` merges mappings, and this is none"),
        ("1s, <<: [{payload: 300B}, x]}}}", "`<<` merges mappings, and this is none"),
        ("&x 1s}}}", "the anchor `x` is never used"),
        ("&x 1s}, u: {every: &x 2s}, v: {every: *x}}}", "two anchors are called `x`"),
        ("&x [*x]}}}", "an alias inside the very value that it names"),
    ] {
        assert!(told(by).contains(words), "{by}: {}", told(by));
    }
    assert_eq!(told("&x 1s}, u: {every: *x}}}"), "");
    assert_eq!(told("1s, <<: {payload: 300B}}}}"), "");
}
