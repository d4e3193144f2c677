//! The lab itself: what holds for its kinds, and that it goes where it is told from wherever it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use document::{Ids, Problems, Sources, parse};
use model::{
    Conditions, CutForm, End, LabEvent, Lever, Link, NodeCondition, NodeId, NodeState, Ports,
    ProcessState, Stamped, Topology, event, topology::Node,
};
use seams::{Clock, Kind, Lab, OpenLab, Process, Site, Wanted};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use wetdress_pretend::{Place, Pretend, SYSTEM};

fn site() -> Site {
    let node = |region: &str| Node {
        region: region.into(),
        zone: None,
        services: ["logs".into()].into(),
        address: [198, 18, 0, 1].into(),
    };
    let nodes = ["a", "b", "c"].map(|name| (NodeId::from(name), node(name)));
    let topology = Arc::new(Topology { nodes: nodes.into(), ..Default::default() });
    Site { service: "logs".into(), topology, run: 1, seed: 1, keyring: Default::default() }
}

type Make<T> = fn(&serde_json::Value, &Site) -> Result<T, serde_json::Error>;

/// A kind of its example, brought to life.
fn example<T>(kind: &Kind<Make<T>>) -> T {
    let (mut sources, mut problems) = (Sources::default(), Problems::new());
    let source = sources.add("example", kind.example);
    let node = parse(kind.example, source, &mut Ids::default(), &mut problems);
    let stored = node.and_then(|node| (kind.read)(&node, &mut problems));
    assert!(problems.is_empty(), "{}: {problems:?}", kind.example);
    (kind.make)(&stored.expect("read without a problem"), &site())
        .expect("the stored form is read back")
}

#[test]
fn every_kind_loads_its_example() {
    SYSTEM.services.kinds.iter().for_each(|kind| assert_eq!(example(kind).shards().len(), 12));
    SYSTEM.drivers.kinds.iter().for_each(|kind| assert!(!example(kind).policy().is_empty()));
    SYSTEM.observers.kinds.iter().for_each(|kind| drop(example(kind)));
}

/// Takes a lab through worlds, one second each: the place it is then in, and what was seen of it.
fn after(worlds: &[Conditions]) -> (Place, Vec<Stamped>) {
    played(worlds, &[])
}

/// The same with more processes on each node, beside the one that serves.
fn played(worlds: &[Conditions], beside: &[&str]) -> (Place, Vec<Stamped>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (site, service) = (site(), example(&SYSTEM.services.kinds[0]));
        let (want, wanted) = watch::channel(Wanted::default());
        let (to_seen, mut seen) = mpsc::unbounded_channel();
        let lab = Pretend::new(site.topology.clone(), 1);
        let of = |node: &NodeId| {
            let more = beside
                .iter()
                .map(|name| Process { name: (*name).to_owned(), ..Default::default() });
            let own = service.processes(node, &*site.topology);
            (node.clone(), own.into_iter().chain(more).collect())
        };
        let processes: BTreeMap<NodeId, Vec<Process>> = site.nodes().map(of).collect();
        let clock = Clock::new(Instant::now());
        let network = lab
            .open(OpenLab { processes, want: wanted, seen: to_seen, clock })
            .await
            .expect("it opens");
        service.provision(&*network).await.expect("shards are made");
        for (revision, world) in (1..).zip(worlds) {
            want.send_replace(Wanted { revision, conditions: Arc::new(world.clone()) });
            sleep(Duration::from_secs(1)).await;
        }
        let place = lab.place().expect("it is open");
        lab.close().await;
        lab.close().await;
        assert!(lab.place().is_none(), "a closed lab is nowhere");
        let mut all = vec![];
        while let Some(seen) = seen.recv().await {
            all.push(seen);
        }
        (place, all)
    })
}

fn world(state: NodeState, cut: bool) -> Conditions {
    let mut world = Conditions { nodes: [("a".into(), state.into())].into(), ..Default::default() };
    if cut {
        world.cut(
            Link::new(End::Node("b".into()), End::Node("c".into())),
            Ports::All,
            CutForm::Drop,
        );
    }
    world
}

#[test]
fn every_way_to_a_world_ends_in_the_same_place() {
    use NodeState::{Crashed, Frozen, PowerLost, Stopped, Terminated, Up};
    let worlds = [
        (Up, true),
        (Stopped, false),
        (Frozen, true),
        (Terminated, false),
        (Crashed, true),
        (PowerLost, false),
    ];
    let worlds: Vec<Conditions> =
        worlds.into_iter().map(|(state, cut)| world(state, cut)).collect();
    for last in &worlds {
        let (fresh, _) = after(std::slice::from_ref(last));
        for first in &worlds {
            assert_eq!(
                after(&[first.clone(), last.clone()]).0,
                fresh,
                "from {first:?} to {last:?}"
            );
        }
    }
}

/// One process of node `a` in a state, and nothing else.
fn process(name: &str, state: ProcessState) -> Conditions {
    let condition =
        NodeCondition { processes: [(name.into(), state)].into(), ..Default::default() };
    Conditions { nodes: [("a".into(), condition)].into(), ..Default::default() }
}

#[test]
fn one_process_falls_and_rises_while_the_others_run() {
    let killed = process("beside", ProcessState::Crashed);
    let (place, seen) = played(&[killed, Conditions::default()], &["beside"]);
    assert_eq!(place, Place::default());
    let told = |sight: &LabEvent| match sight {
        LabEvent::ProcessExited { node, process, asked: true, .. } => {
            Some(format!("{node} -{process}"))
        }
        LabEvent::ProcessStarted { node, process } => Some(format!("{node} +{process}")),
        LabEvent::Hit { lever, at: event::Place::Process { node, process }, count, .. } => {
            Some(format!("{node} {lever:?} {process} {count}"))
        }
        LabEvent::Hit { .. } => Some("another proof".to_owned()),
        _ => None,
    };
    let all: Vec<String> = seen.iter().filter_map(|seen| told(&seen.what)).collect();
    let started = ["a +pretend", "a +beside", "b +pretend", "b +beside", "c +pretend", "c +beside"];
    let hit = ["a Crash beside 1", "a -beside", "a +beside", "a Crash beside 1"];
    assert_eq!(all[..6], started);
    let mut middle: Vec<&str> = all[6..10].iter().map(String::as_str).collect();
    middle.sort_unstable();
    let mut expected = hit;
    expected.sort_unstable();
    assert_eq!(middle, expected);
    assert_eq!(all.len(), 6 + 4 + 6, "and the end of the lab: {all:?}");
}

#[test]
fn a_lever_that_the_lab_has_not_is_told_and_not_ignored() {
    let mut world = process("nobody", ProcessState::Crashed);
    let node = world.nodes.values_mut().next().expect("there is one");
    node.disk.full = true;
    node.clock.offset_us = -3;
    let link = Link::new(End::Node("b".into()), End::Node("c".into()));
    world.quality_mut(link).mtu = Some(1400);
    let (_, seen) = after(&[world]);
    let told = |seen: &Stamped| match &seen.what {
        LabEvent::CannotDo { lever, .. } => Some(*lever),
        _ => None,
    };
    let told: BTreeSet<Lever> = seen.iter().filter_map(told).collect();
    assert_eq!(told, [Lever::Crash, Lever::DiskFull, Lever::ClockOffset, Lever::Mtu].into());
}

#[test]
fn what_is_no_longer_wanted_is_absent() {
    let (place, seen) = after(&[world(NodeState::Crashed, true), Conditions::default()]);
    assert_eq!(place, Place::default());
    let is = |fits: fn(&LabEvent) -> bool| seen.iter().filter(|seen| fits(&seen.what)).count();
    assert_eq!(
        is(|sight| matches!(sight, LabEvent::ProcessStarted { .. })),
        3 + 1,
        "three at first, one again"
    );
    assert_eq!(
        is(|sight| matches!(sight, LabEvent::ProcessExited { asked: true, .. })),
        1 + 3,
        "one by the fault, three at the end"
    );
    assert_eq!(
        is(|sight| matches!(sight, LabEvent::Healed { .. })),
        1,
        "one link was cut, and nobody had to use it"
    );
}
