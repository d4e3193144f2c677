//! Whole timelines in the pretend lab on a paused clock: 105 s in about one.

mod build;
#[expect(unreachable_pub, reason = "a module of one test, written as its interface")]
mod timeline;

use std::{collections::BTreeSet, time::Duration};

use model::{End, Event, LabEvent, Lever, NodeId, event::Claim, plan::EventPattern};
use timeline::{Drill, Told, at, seconds, when};

/// Shards are led in the order of the nodes' names at first: `s2` by us-west.
fn leader_of_s2_changes() -> EventPattern {
    EventPattern::RoleChanged {
        service: "logs".into(),
        shard: Some("s2".into()),
        role: "leader".into(),
    }
}

fn claim(lever: Lever, node: &str) -> Claim {
    Claim::new(lever, End::Node(node.into()))
}

/// Nobody reads an ack that is nowhere: whatever the fault was.
fn nothing_acked_is_lost(told: &Told) {
    let there: BTreeSet<(u32, Option<u64>)> = told
        .read_back
        .iter()
        .map(|sighting| (sighting.identity.asset, sighting.position))
        .collect();
    assert!(told.complete, "the logs were read back");
    assert!(told.acked.len() > 1000, "{} acks", told.acked.len());
    for acked in &told.acked {
        assert!(there.contains(&(acked.asset, Some(acked.position))), "lost: {acked:?}");
    }
}

fn nodes(names: &[&str]) -> Vec<NodeId> {
    names.iter().map(|name| NodeId::from(*name)).collect()
}

#[test]
fn a_quiet_run_enters_its_phases_and_serves_everybody() {
    let told = Drill::new().run();
    let phases = ["baseline", "outage", "recovery", "verify"].map(str::to_owned);
    let starts = [0, 30, 60, 90].map(seconds);
    assert_eq!(told.phases(), starts.into_iter().zip(phases).collect::<Vec<_>>());
    assert_eq!(told.first(|event| matches!(event, Event::GenerationStopped)), Some(seconds(90)));
    assert_eq!(told.leaders("s0").len(), 1, "nobody is elected without need");
    nothing_acked_is_lost(&told);
    let slowest =
        told.acked.iter().map(|acked| acked.at.since(acked.sent)).max().expect("there are acks");
    assert!(
        slowest < Duration::from_millis(250),
        "two ways over the WAN, then two more: {slowest:?}"
    );
    assert!(told.saw.len() >= told.acked.len(), "the observer saw what was acked");
}

#[test]
fn a_lost_region_is_proven_at_once_and_comes_back() {
    let told = Drill::new()
        .window("lose-west", "region-loss", "{region: us-west, how: power}", at(30, 30))
        .run();
    let asked = told.asked("lose-west");
    assert_eq!((asked.at, asked.picked), (seconds(30), nodes(&["logs-us-west-1"])));
    assert_eq!(asked.regions, ["us-west".into()].into());
    assert_eq!(asked.claims, [claim(Lever::PowerLoss, "logs-us-west-1")].into());
    assert_eq!(
        told.proven("lose-west"),
        [(claim(Lever::PowerLoss, "logs-us-west-1"), seconds(30))].into()
    );

    let lost: Vec<_> = asked.shards.iter().collect();
    assert!(!lost.is_empty(), "some shards were led from there");
    for shard in lost {
        let elected = told.leaders(shard.as_str())[1].0;
        assert!(
            elected > seconds(31) && elected < seconds(34),
            "{shard}: one to two election timeouts later, not {elected}"
        );
    }
    assert_eq!(told.closed("lose-west"), Some(seconds(60)));
    let redundant: Vec<_> = told
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Redundant { redundant, .. } => Some((at.elapsed().as_secs(), *redundant)),
            _ => None,
        })
        .collect();
    assert!(matches!(redundant[..], [(0..2, true), (30, false), (60..63, true)]), "{redundant:?}");
    let up = told
        .events
        .iter()
        .filter(|(at, event)| {
            *at >= seconds(60) && matches!(event, Event::Lab(LabEvent::ProcessStarted { .. }))
        })
        .count();
    assert_eq!(up, 1, "its process came back");
    assert!(
        told.acked_between(seconds(36), seconds(60)) > 12 * 5 * 20,
        "the others serve all assets: {}",
        told.acked_between(seconds(36), seconds(60))
    );
    nothing_acked_is_lost(&told);
}

#[test]
fn a_region_without_network_is_cut_and_healed() {
    let told = Drill::new()
        .window("cut-west", "region-loss", "{region: us-west, how: network}", at(30, 30))
        .run();
    assert_eq!(told.asked("cut-west").claims, [claim(Lever::Cut, "logs-us-west-1")].into());
    let proven = told.proven("cut-west");
    assert!(
        proven[&claim(Lever::Cut, "logs-us-west-1")] < seconds(31),
        "heartbeats are lost within a moment"
    );
    assert!(
        told.first(|event| matches!(event, Event::Lab(LabEvent::Healed { .. })))
            .is_some_and(|healed| healed >= seconds(60))
    );
    nothing_acked_is_lost(&told);
}

#[test]
fn one_process_is_killed_and_comes_back() {
    let told = Drill::new()
        .window("kill", "kill", "{node: logs-us-west-1, process: pretend}", at(30, 30))
        .run();
    let of_process =
        Claim { process: Some("pretend".to_owned()), ..claim(Lever::Crash, "logs-us-west-1") };
    assert_eq!(told.asked("kill").claims, [of_process.clone()].into());
    assert_eq!(told.proven("kill"), [(of_process, seconds(30))].into());
    let exited = told
        .first(|event| matches!(event, Event::Lab(LabEvent::ProcessExited { asked: true, .. })));
    assert_eq!(exited, Some(seconds(30)));
    assert_eq!(told.first(|event| matches!(event, Event::FaultClosed { .. })), Some(seconds(60)));
    nothing_acked_is_lost(&told);
}

#[test]
fn a_leader_cut_from_its_peers_leads_no_more() {
    let told = Drill::new()
        .window(
            "isolate",
            "partition",
            "{isolate: {role: leader, of: logs/s0}, from: peers}",
            at(30, 30),
        )
        .run();
    let asked = told.asked("isolate");
    let before = told.leaders("s0")[0].1.clone();
    assert_eq!(asked.picked, std::slice::from_ref(&before));
    assert!(asked.shards.contains("s0"));
    let (elected, after, term) = told.leaders("s0")[1].clone();
    assert!(after != before && term > 1 && elected < seconds(34));
    nothing_acked_is_lost(&told);
}

#[test]
fn a_finished_fault_is_absent() {
    let told = Drill::new()
        .window("kill", "kill", "{role: leader, of: logs/s0}", at(30, 5))
        .window(
            "slow",
            "degrade",
            "{around: {region: us-east}, delay: 150ms, loss: 10%, rate: 1Mbit}",
            at(36, 5),
        )
        .window("stall", "pause", "{node: logs-us-west-1, how: machine}", at(42, 5))
        .window("cut", "partition", "{halves: {service: logs}}", at(48, 5))
        .run();
    let quiet = Drill::new().run();
    let slowest = |told: &Told, from, to| {
        let within = told.acked.iter().filter(|acked| (from..to).contains(&acked.sent));
        within.map(|acked| acked.at.since(acked.sent)).max().expect("there are acks")
    };
    assert!(
        slowest(&told, seconds(36), seconds(41)) > Duration::from_millis(600),
        "the fault is felt, both ways"
    );
    let (before, after) =
        (slowest(&quiet, seconds(65), seconds(89)), slowest(&told, seconds(65), seconds(89)));
    assert!(
        after <= before + Duration::from_millis(135),
        "one WAN hop to another node and one to a moved leader, no more: {before:?}, {after:?}"
    );
    for window in ["kill", "slow", "stall", "cut"] {
        assert!(!told.proven(window).is_empty(), "{window}");
    }
    nothing_acked_is_lost(&told);
}

#[test]
fn a_killed_leader_is_down_and_its_exit_was_asked_for() {
    let told = Drill::new().window("kill", "kill", "{role: leader, of: logs/s1}", at(30, 10)).run();
    let picked = told.asked("kill").picked.remove(0);
    let exit = told.first(
        |event| matches!(event, Event::Lab(LabEvent::ProcessExited { node, asked: true, .. }) if *node == picked),
    );
    assert_eq!(exit, Some(seconds(30)));
    assert!(told.proven("kill").contains_key(&claim(Lever::Crash, picked.as_str())));
    nothing_acked_is_lost(&told);
}

#[test]
fn a_port_that_nobody_uses_proves_nothing() {
    let told = Drill::new()
        .window("nobody", "partition", "{isolate: {node: logs-us-west-1}, ports: [9]}", at(30, 30))
        .run();
    assert_eq!(told.asked("nobody").claims, [claim(Lever::CutPorts, "logs-us-west-1")].into());
    assert_eq!(told.proven("nobody"), Default::default());
    assert_eq!(told.leaders("s0").len(), 1);
}

#[test]
fn the_port_of_the_peers_is_a_cut_that_clients_do_not_feel() {
    let peers = format!("{{isolate: {{node: logs-us-west-1}}, ports: [{}]}}", pretend::PEER_PORT);
    let told = Drill::new().window("peers", "partition", &peers, at(30, 30)).run();
    assert!(told.proven("peers").contains_key(&claim(Lever::CutPorts, "logs-us-west-1")));
    nothing_acked_is_lost(&told);
}

#[test]
fn a_window_without_targets_is_missed_and_adds_nothing() {
    let told =
        Drill::new().window("ghost", "kill", "{role: coordinator, of: logs}", at(30, 30)).run();
    assert_eq!(told.missed("ghost").as_deref(), Some("no node that fits is known as coordinator"));
    assert_eq!(told.closed("ghost"), None);
    assert!(
        told.first(|event| matches!(event, Event::FaultAsked { .. } | Event::Lab(LabEvent::ProcessExited { asked: true, .. }) if true) && !closing(event))
            .is_none()
    );
}

/// The lab's own end.
fn closing(event: &Event) -> bool {
    matches!(event, Event::Lab(LabEvent::ProcessExited { status, .. }) if status == "the lab was closed")
}

#[test]
fn a_second_fault_opens_on_the_failover_of_the_first() {
    let told = Drill::new()
        .window("lose", "region-loss", "{region: us-west}", at(30, 30))
        .window(
            "stall",
            "pause",
            "{role: leader, of: logs/s2}",
            when(leader_of_s2_changes(), (30, 60), 4),
        )
        .run();
    let (elected, new_leader, _) = told.leaders("s2")[1].clone();
    let asked = told.asked("stall");
    assert_eq!(asked.picked, std::slice::from_ref(&new_leader));
    assert!(asked.at >= elected && asked.at < elected + Duration::from_millis(10));
    assert_eq!(
        told.closed("stall").map(|closed| closed.since(asked.at)).map(|lasted| lasted.as_secs()),
        Some(4)
    );
    assert!(told.proven("stall").contains_key(&claim(Lever::Stop, new_leader.as_str())));
    nothing_acked_is_lost(&told);
}

#[test]
fn an_event_that_does_not_come_is_a_missed_window() {
    let told = Drill::new()
        .window(
            "never",
            "kill",
            "{node: logs-us-west-1}",
            when(leader_of_s2_changes(), (30, 40), 4),
        )
        .run();
    assert_eq!(told.missed("never").as_deref(), Some("its event did not come in time"));
}

#[test]
fn what_is_known_for_the_first_time_is_no_change() {
    let told = Drill::new()
        .window("early", "kill", "{node: logs-us-west-1}", when(leader_of_s2_changes(), (0, 40), 4))
        .run();
    assert_eq!(told.leaders("s0").len(), 1);
    assert!(told.missed("early").is_some());
}

#[test]
fn a_followed_role_takes_the_fault_with_it() {
    let told =
        Drill::new().following("chase", "pause", "{role: leader, of: logs/s0}", at(30, 10)).run();
    let first = told.asked("chase").picked;
    let moves = told.moves("chase");
    assert!(moves.len() >= 2, "each new leader is paused in turn: {moves:?}");
    let mut before = first;
    for (at, now) in moves {
        assert!(at < seconds(40));
        assert_ne!(before, now);
        before = now;
    }
    nothing_acked_is_lost(&told);
}

#[test]
fn without_follow_a_fault_stays_where_it_was() {
    let told =
        Drill::new().window("stay", "pause", "{role: leader, of: logs/s0}", at(30, 10)).run();
    assert!(told.leaders("s0").len() >= 2, "another one leads");
    assert_eq!(told.moves("stay"), []);
}

#[test]
fn one_of_several_is_drawn_from_the_seed() {
    let pick = |seed| {
        Drill::new()
            .seed(seed)
            .window("one", "kill", "{service: logs, mode: one}", at(30, 5))
            .run()
            .asked("one")
            .picked
    };
    let picks: BTreeSet<_> = (1..5).map(pick).collect();
    assert!(picks.iter().all(|picked| picked.len() == 1));
    assert!(picks.len() > 1, "four seeds, one choice: {picks:?}");
}

#[test]
fn a_slow_grey_region_is_proven_by_every_lever_that_it_pulls() {
    let yaml = "{around: {region: us-west}, delay: 80ms, jitter: 5ms, loss: 2%, rate: 10Mbit}";
    let told = Drill::new().window("grey", "degrade", yaml, at(30, 30)).run();
    let proven: BTreeSet<Lever> =
        told.proven("grey").into_keys().map(|claim| claim.lever).collect();
    assert_eq!(proven, [Lever::Delay, Lever::Jitter, Lever::Loss, Lever::Rate].into());
    nothing_acked_is_lost(&told);
}

#[test]
fn two_windows_over_each_other_end_one_by_one() {
    let told = Drill::new()
        .window("long", "kill", "{node: logs-us-west-1}", at(30, 30))
        .window("short", "pause", "{node: logs-us-west-1}", at(40, 10))
        .run();
    assert!(told.proven("short").is_empty(), "hidden by the worse state");
    let back = told
        .events
        .iter()
        .find(|(at, event)| {
            *at > seconds(30) && matches!(event, Event::Lab(LabEvent::ProcessStarted { .. }))
        })
        .map(|(at, _)| *at);
    assert_eq!(back, Some(seconds(60)), "the end of the short one brought nobody back");
}

#[test]
fn revisions_grow_and_each_comes_into_force() {
    let told = Drill::new()
        .window("a", "kill", "{node: logs-us-west-1}", at(30, 10))
        .window("b", "degrade", "{around: {node: logs-us-east-1}, delay: 10ms}", at(35, 10))
        .run();
    let in_force: Vec<u64> = told
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Lab(LabEvent::InForce { revision }) => Some(*revision),
            _ => None,
        })
        .collect();
    assert_eq!(in_force, [0, 1, 2, 3, 4]);
}

#[test]
fn the_same_plan_is_told_in_the_same_words() {
    let play = || Drill::new().window("lose", "region-loss", "{region: us-west}", at(30, 30)).run();
    let (one, other) = (play(), play());
    assert_eq!(one.events, other.events);
    assert_eq!(one.acked.len(), other.acked.len());
}
