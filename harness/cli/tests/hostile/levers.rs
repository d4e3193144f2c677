//! Faults that have nothing to act on.

use crate::{DRILL, mistakes, refused};

#[test]
fn a_fault_without_a_link_is_refused_like_a_target_that_nobody_fits() {
    for fault in [
        "partition: {isolate: {service: store}, from: peers}",
        "partition: {between: [{node: store-a-1}, {service: store, node: store-a-1}]}",
        "degrade: {around: {service: store}, from: peers, delay: 50ms}",
    ] {
        let behind = format!("faults:\n  - {{at: outage, {fault}}}\n");
        refused("", "", &behind, &["16:", "this fault has nothing to act on"]);
    }
}

#[test]
fn a_fault_at_a_role_has_links_to_act_on() {
    for fault in [
        "partition: {isolate: {role: leader, of: store}, from: peers}",
        "partition: {between: [{role: leader, of: store/s0}, {node: store-a-1}]}",
        "degrade: {around: {role: follower, of: store/s1}, from: peers, delay: 50ms}",
    ] {
        let text = format!("{DRILL}faults:\n  - {{at: outage, {fault}}}\n");
        assert_eq!(mistakes(&text), Vec::<String>::new(), "{fault}");
    }
}
