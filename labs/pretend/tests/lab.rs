//! The lab itself: what holds for its kinds, and that it goes where it is told from wherever it is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use document::{Ids, Problems, Sources, parse};
use model::{Conditions, CutForm, End, Link, NodeId, NodeState, Ports, Topology, topology::Node};
use seams::{Clock, Kind, Lab, Open, Process, Seen, Sight, Site, Wanted};
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
    Site { service: "logs".into(), topology, run: 1, seed: 1 }
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
fn after(worlds: &[Conditions]) -> (Place, Vec<Seen>) {
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
        let processes: BTreeMap<NodeId, Vec<Process>> = site
            .nodes()
            .map(|node| (node.clone(), service.processes(node, &*site.topology)))
            .collect();
        let clock = Clock::new(Instant::now());
        let ground = lab
            .open(Open { processes, want: wanted, seen: to_seen, clock })
            .await
            .expect("it opens");
        service.provision(&*ground).await.expect("shards are made");
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
    let mut world = Conditions { nodes: [("a".into(), state)].into(), ..Default::default() };
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

#[test]
fn what_is_no_longer_wanted_is_absent() {
    let (place, seen) = after(&[world(NodeState::Crashed, true), Conditions::default()]);
    assert_eq!(place, Place::default());
    let is = |fits: fn(&Sight) -> bool| seen.iter().filter(|seen| fits(&seen.what)).count();
    assert_eq!(
        is(|sight| matches!(sight, Sight::Started { .. })),
        3 + 1,
        "three at first, one again"
    );
    assert_eq!(
        is(|sight| matches!(sight, Sight::Exited { asked: true, .. })),
        1 + 3,
        "one by the fault, three at the end"
    );
    assert_eq!(
        is(|sight| matches!(sight, Sight::Healed { .. })),
        1,
        "one link was cut, and nobody had to use it"
    );
}
