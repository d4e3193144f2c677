//! What is done to a scenario: values at their edges, and pieces of other scenarios where they may stand.

use document::{Kind, Node};
use kit::Random;

use crate::tree::with;

const CHANGES_MAX: u64 = 4;
const VALUES: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "255",
    "256",
    "65536",
    "4294967296",
    "-1",
    "0.5",
    "1e9",
    "true",
    "false",
    "x",
    "baseline",
    "outage",
    "0s",
    "1ns",
    "1us",
    "1ms",
    "10ms",
    "100ms",
    "1s",
    "3s",
    "10s",
    "1m",
    "1h",
    "1d",
    "7d",
    "36500d",
    "0%",
    "0.01%",
    "1%",
    "50%",
    "100%",
    "0x",
    "0.01x",
    "1x",
    "1000x",
    "0B",
    "64B",
    "1KiB",
    "64KiB",
    "1GiB",
    "1kbit",
    "1Mbit",
    "1bit",
    "us-west",
    "us-east",
    "eu-west",
    "store",
    "leader",
    "all",
    "clients",
    "peers",
    "silence",
    "power",
    "network",
    "majority",
    "minority",
    "drop_oldest",
    "live_first",
    "0 x baseline",
    "1 x baseline",
    "baseline + 1s",
    "quiesced",
];

/// One of the scenarios, changed at a few places.
pub(crate) fn changed(all: &[Node], random: &mut Random) -> Node {
    let mut root = random.of(all).expect("there are scenarios").clone();
    for _ in 0..=random.below(CHANGES_MAX) {
        root = once(&root, all, random);
    }
    root
}

fn once(root: &Node, all: &[Node], random: &mut Random) -> Node {
    let nodes: Vec<&Node> = root.all().collect();
    let node = *random.of(&nodes).expect("a scenario has nodes");
    match &node.kind {
        Kind::Scalar { .. } => {
            let text = (*random.of(VALUES).expect("there are values")).to_owned();
            with(root, node.id, &|node: &mut Node| {
                node.kind = Kind::Scalar { text: text.clone(), quoted: false };
            })
        }
        Kind::List(items) => {
            let at = random.below(items.len() as u64) as usize;
            let (takes, other) = (random.below(2) == 0, same_sort(node, all, random));
            with(root, node.id, &|node: &mut Node| {
                let (Kind::List(items), Kind::List(others)) = (&mut node.kind, &other.kind) else {
                    return;
                };
                match takes && at < items.len() {
                    true => drop(items.remove(at)),
                    false => items.extend(others.first().cloned()),
                }
            })
        }
        Kind::Map(entries) => {
            let at = random.below(entries.len() as u64) as usize;
            let (how, other) = (random.below(3), same_sort(node, all, random));
            let from = random.below(other.entries().len() as u64) as usize;
            with(root, node.id, &|node: &mut Node| {
                let (Kind::Map(entries), Kind::Map(others)) = (&mut node.kind, &other.kind) else {
                    return;
                };
                let Some(new) = others.get(from) else { return };
                let same = entries.iter().position(|entry| entry.key.text == new.key.text);
                match same {
                    _ if how == 0 && at < entries.len() => drop(entries.remove(at)),
                    Some(same) => entries[same].value = new.value.clone(),
                    None => entries.push(new.clone()),
                }
            })
        }
    }
}

/// A collection of some scenario that has a key in common with this one, or a list; this one itself where none is found.
fn same_sort<'n>(node: &'n Node, all: &'n [Node], random: &mut Random) -> Node {
    let other = random.of(all).expect("there are scenarios");
    let alike = |other: &&Node| match (&node.kind, &other.kind) {
        (Kind::Map(mine), Kind::Map(_)) => {
            mine.iter().any(|entry| other.at(&entry.key.text).is_some())
        }
        (Kind::List(mine), Kind::List(theirs)) => {
            let key = |list: &[Node]| {
                list.first().and_then(|item| Some(item.entries().first()?.key.text.clone()))
            };
            key(mine) == key(theirs)
        }
        _ => false,
    };
    let found: Vec<&Node> = other.all().filter(alike).collect();
    let chosen: &Node = random.of(&found).copied().unwrap_or(node);
    chosen.clone()
}
