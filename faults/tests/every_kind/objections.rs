//! What a kind objects to, and which parameter each objection is about.

use seams::Objection;

use super::{load, topology};

/// Each objection as `key: message (help)`.
fn wrong(kind: &str, yaml: &str) -> Vec<String> {
    let objections = load(kind, yaml).check(&topology());
    let line = |Objection { key, message, help }| {
        format!("{key}: {message} ({})", help.expect("every objection says what to do"))
    };
    objections.into_iter().map(line).collect()
}

#[test]
fn a_partition_has_one_shape_that_can_be() {
    let who = "Say who is parted with exactly one of `isolate`, `halves`, `minority`, `majority`, `between`";
    for (kind, yaml, expected) in [
        ("partition", "{}", format!(": nobody is parted ({who})")),
        (
            "partition",
            "{isolate: {node: a}, halves: {service: etcd}}",
            format!("halves: two partitions in one ({who})"),
        ),
        (
            "partition",
            "{between: [{region: a}, {region: b}], from: peers}",
            "from: `between` names both sides (Leave `from` out)".into(),
        ),
        (
            "partition",
            "{minority: {service: store}}",
            "minority: a single node fits, which cannot be split (Name more of them, or use `isolate`)".into(),
        ),
        (
            "partition",
            "{halves: {role: leader, of: etcd}}",
            "halves.role: a role says nothing about the other part (Split a `service` or a `region`)".into(),
        ),
        (
            "partition",
            "{between: [{region: us-west}, {of: etcd/0}]}",
            "between.1.of: a shard has no nodes of its own (Say which `role` in it is meant)".into(),
        ),
    ] {
        assert_eq!(wrong(kind, yaml), [expected], "`{kind}: {yaml}`");
    }
}

#[test]
fn links_that_are_degraded_are_named_once_and_something_is_asked_of_them() {
    let which = "Say which links with exactly one of `around`, `between`";
    let parameters = "Ask for `delay`, `jitter`, `loss`, `rate` or another of its parameters";
    for (kind, yaml, expected) in [
        ("degrade", "{around: {service: etcd}}", format!(": nothing is degraded ({parameters})")),
        ("degrade", "{delay: 1s}", format!(": no links are named ({which})")),
        (
            "degrade",
            "{around: {service: etcd}, between: [{region: a}, {region: b}], delay: 1s}",
            format!("between: links are named twice ({which})"),
        ),
        (
            "degrade",
            "{around: {service: etcd}, loss: 0%, jitter: 0ms}",
            format!(": nothing is degraded ({parameters})"),
        ),
    ] {
        assert_eq!(wrong(kind, yaml), [expected], "`{kind}: {yaml}`");
    }
    for (yaml, beginning) in [
        ("queue: 64KiB", "queue: `queue` without a `rate` holds nothing"),
        ("reorder: 5%", "reorder: `reorder` without a delay changes no order"),
        ("mtu: 60B", "mtu: the `mtu` is smaller than TCP can find out"),
        ("mtu: 1500B", "mtu: the `mtu` is no smaller than that of the devices"),
    ] {
        let told = wrong("degrade", &format!("{{around: {{service: etcd}}, {yaml}}}"));
        assert!(told.len() == 1 && told[0].starts_with(beginning), "`{yaml}` said: {told:?}");
    }
}

#[test]
fn targets_do_not_contradict_themselves() {
    for (kind, yaml, expected) in [
        (
            "kill",
            "{of: etcd/0}",
            "of: a shard has no nodes of its own (Say which `role` in it is meant)",
        ),
        (
            "pause",
            "{service: store, role: leader, of: etcd}",
            "of: `service: store` and `of: etcd` name two services (Leave one of them out)",
        ),
        (
            "asset",
            "{how: silence}",
            ": nobody is named (Say whose assets, with `region`, `fleet` or both)",
        ),
        (
            "pause",
            "{service: store, how: machine, process: store}",
            "process: a machine stands still with all of its processes (Leave `process` out)",
        ),
    ] {
        assert_eq!(wrong(kind, yaml), [expected], "`{kind}: {yaml}`");
    }
}
