//! What holds for every fault kind, and what each of them adds to the world.

mod objections;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use document::{Ids, Problems, Sources, parse};
use model::{
    BitRate, Bursts, CellId, Chance, Conditions, Cut, CutForm, End, FleetCondition, FleetState,
    Jitter, Lever, Link, LinkCondition, LinkQuality, NodeCondition, NodeId, NodeState, Ports,
    ProcessState, Severs, Shape, Topology,
    plan::{Mode, NodeTarget, Target},
    topology::{Cell, Node},
};
use seams::{Fault, Moment};
use wetdress_faults::CATALOG;

/// Three regions with one member of `etcd` and one cell each, and a lone node of `store` in the first.
fn topology() -> Topology {
    let regions = ["us-west", "us-east", "eu-west"];
    let node = |region: &str, service: &str| Node {
        region: region.into(),
        zone: None,
        services: [service.into()].into(),
        address: [198, 18, 0, 1].into(),
    };
    let mut nodes: BTreeMap<NodeId, Node> = regions
        .iter()
        .map(|region| (format!("etcd-{region}").into(), node(region, "etcd")))
        .collect();
    nodes.insert("store-us-west-1".into(), node("us-west", "store"));
    let cell = |region: &str| Cell {
        region: region.into(),
        fleet: Some("terminals".into()),
        base: [198, 19, 0, 0].into(),
        prefix: 24,
        hosts: 1,
        access: Default::default(),
        track: Default::default(),
    };
    let cells = regions
        .iter()
        .map(|region| (CellId::from(format!("{region}/assets")), cell(region)))
        .collect();
    Topology {
        regions: regions.iter().map(|region| ((*region).into(), Default::default())).collect(),
        nodes,
        cells,
        ..Default::default()
    }
}

fn load(kind: &str, yaml: &str) -> Box<dyn Fault> {
    let kind = CATALOG.find(kind).expect("a kind of the catalog");
    let (mut sources, mut problems) = (Sources::default(), Problems::new());
    let source = sources.add("example", yaml);
    let node = parse(yaml, source, &mut Ids::default(), &mut problems);
    let stored = node.and_then(|node| (kind.read)(&node, &mut problems));
    assert!(problems.is_empty(), "`{}: {yaml}`: {problems:?}", kind.name);
    (kind.make)(&stored.expect("read without a problem")).expect("the stored form is read back")
}

/// Roles aside, the first nodes that fit, as many as the mode asks for.
fn pick(fault: &dyn Fault, topology: &Topology) -> Vec<Vec<End>> {
    let first = |target: &Target| {
        let mut fit = target.fitting(topology);
        let has_role = target.nodes().is_some_and(|nodes| nodes.role.is_some());
        fit.truncate(if has_role { 1 } else { target.mode().count(fit.len()) });
        fit
    };
    fault.targets().iter().map(first).collect()
}

fn world(kind: &str, yaml: &str) -> Conditions {
    let (fault, topology) = (load(kind, yaml), topology());
    assert_eq!(fault.check(&topology), [], "`{kind}: {yaml}`");
    let picked = pick(&*fault, &topology);
    fault.at(&Moment { elapsed: Duration::ZERO, topology: &topology, picked: &picked })
}

fn node(name: &str) -> End {
    End::Node(name.into())
}

fn cell(name: &str) -> End {
    End::Cell(name.into())
}

/// The links of a world, each as `from > to`.
fn cut(world: &Conditions) -> BTreeSet<String> {
    world.links.keys().map(|Link { from, to }| format!("{from} > {to}")).collect()
}

#[test]
fn every_example_loads_and_hits_what_it_names() {
    let topology = topology();
    let real: BTreeSet<Link> = topology.links().collect();
    for kind in CATALOG.kinds {
        let world = world(kind.name, kind.example);
        assert!(!world.levers().is_empty(), "`{}` does nothing", kind.name);
        assert!(
            world.links.keys().all(|link| real.contains(link)),
            "`{}` touches a link that does not exist",
            kind.name
        );
        let deed = load(kind.name, kind.example).deed();
        assert!(deed.split(' ').any(|word| word.ends_with("ing")), "`{deed}` heads no sentence");
        assert!(kind.about.ends_with('.'), "`{}` has no sentence about itself", kind.name);
    }
}

#[test]
fn names_are_unique() {
    assert_eq!(CATALOG.names().collect::<BTreeSet<_>>().len(), CATALOG.kinds.len());
}

#[test]
fn a_leader_is_cut_from_its_peers_and_reachable_by_its_clients() {
    let world = world("partition", "{isolate: {role: leader, of: etcd}, from: peers}");
    let expected = ["etcd-us-east", "etcd-us-west", "store-us-west-1"]
        .map(|peer| [format!("etcd-eu-west > {peer}"), format!("{peer} > etcd-eu-west")]);
    assert_eq!(cut(&world), expected.into_iter().flatten().collect());
    assert!(
        world
            .links
            .values()
            .all(|link| link.cuts
                == BTreeSet::from([Cut { ports: Ports::All, form: CutForm::Drop }]))
    );
}

#[test]
fn isolation_spares_nobody_and_has_a_direction_a_form_and_ports() {
    let world = world(
        "partition",
        "{isolate: {node: etcd-eu-west}, direction: to, form: reject, ports: [2380]}",
    );
    assert_eq!(world.links.len(), 3 + 3, "three nodes and three cells, one way each");
    assert!(world.links.keys().all(|link| link.to == node("etcd-eu-west")));
    let expected =
        BTreeSet::from([Cut { ports: Ports::Only([2380].into()), form: CutForm::Reject }]);
    assert!(world.links.values().all(|link| link.cuts == expected));
}

#[test]
fn a_jam_is_a_form_of_its_own() {
    let world = world("partition", "{isolate: {node: etcd-eu-west}, form: jam, ports: [2379]}");
    let expected = BTreeSet::from([Cut { ports: Ports::Only([2379].into()), form: CutForm::Jam }]);
    assert!(world.links.values().all(|link| link.cuts == expected));
    assert!(
        world.levers().iter().all(|(lever, _)| *lever == Lever::JamPorts),
        "{:?}",
        world.levers()
    );
}

#[test]
fn a_set_is_split_among_its_own() {
    for (yaml, alone) in [
        ("{halves: {service: etcd}}", 2),
        ("{minority: {service: etcd}}", 1),
        ("{majority: {service: etcd}}", 2),
    ] {
        let world = world("partition", yaml);
        assert_eq!(world.links.len(), 4, "{yaml}: {alone} against {}", 3 - alone);
        assert!(
            !cut(&world).iter().any(|link| link.contains("store") || link.contains("assets")),
            "{yaml}"
        );
    }
    let unreachable = world("partition", "{majority: {service: etcd}, from: all}");
    assert_eq!(unreachable.links.len(), 4 + 2 * 3 * 2, "two nodes lose three cells, both ways");
}

#[test]
fn between_regions_their_clients_go_with_them() {
    let world =
        world("partition", "{between: [{region: us-east}, {region: eu-west}], direction: from}");
    let expected = [
        "etcd-us-east > etcd-eu-west",
        "etcd-us-east > eu-west/assets",
        "us-east/assets > etcd-eu-west",
    ];
    assert_eq!(cut(&world), expected.map(str::to_owned).into());
    let nodes_only = self::world(
        "partition",
        "{between: [{region: us-east, service: etcd}, {region: eu-west}], direction: from}",
    );
    assert_eq!(cut(&nodes_only), expected[..2].iter().map(|link| (*link).to_owned()).collect());
}

#[test]
fn degraded_links_carry_what_was_asked() {
    let world = world(
        "degrade",
        "{around: {service: store}, from: clients, delay: 80ms, jitter: 5ms, loss: 2%, rate: 10Mbit}",
    );
    assert_eq!(world.links.len(), 6);
    let quality = LinkQuality {
        delay: Duration::from_millis(80),
        jitter: vec![Jitter {
            width: Duration::from_millis(5),
            shape: Shape::Uniform,
            correlation: Chance(0),
        }],
        loss: vec![Chance(20_000)],
        rate: Some(BitRate(10_000_000)),
        ..Default::default()
    };
    let expected = LinkCondition { quality, ..Default::default() };
    assert_eq!(
        world.links.get(&Link::new(cell("us-west/assets"), node("store-us-west-1"))),
        Some(&expected)
    );
    let only_slow = self::world("degrade", "{around: {service: store}, delay: 1ms}");
    assert_eq!(
        only_slow.levers().iter().map(|(lever, _)| *lever).collect::<BTreeSet<_>>(),
        BTreeSet::from([Lever::Delay])
    );
}

#[test]
fn every_parameter_of_a_link_is_asked_for_by_its_own_lever() {
    let quality = |yaml: &str| {
        let world = world("degrade", &format!("{{around: {{service: store}}, {yaml}}}"));
        let levers: BTreeSet<Lever> = world.levers().into_iter().map(|(lever, _)| lever).collect();
        let first = world.links.into_values().next().expect("it has links");
        (first.quality, levers.into_iter().collect::<Vec<_>>())
    };
    let of = LinkQuality::default;
    let (tail, quarter) = (Duration::from_millis(3), Chance(250_000));
    let bursts =
        Bursts { enter: Chance(10_000), leave: quarter, bad: Chance(900_000), good: Chance(1_000) };
    for (yaml, expected, lever) in [
        (
            "jitter: {width: 3ms, shape: pareto, correlation: 25%}",
            LinkQuality {
                jitter: vec![Jitter { width: tail, shape: Shape::Pareto, correlation: quarter }],
                ..of()
            },
            Lever::Jitter,
        ),
        (
            "loss: {p: 1%, r: 25%, bad: 90%, good: 0.1%}",
            LinkQuality { bursts: vec![bursts], ..of() },
            Lever::Loss,
        ),
        ("duplicate: 25%", LinkQuality { duplicate: vec![quarter], ..of() }, Lever::Duplicate),
        ("corrupt: 25%", LinkQuality { corrupt: vec![quarter], ..of() }, Lever::Corrupt),
        ("mtu: 1400B", LinkQuality { mtu: Some(1400), ..of() }, Lever::Mtu),
    ] {
        assert_eq!(quality(yaml), (expected, vec![lever]), "{yaml}");
    }
    let (reordered, levers) = quality("delay: 3ms, reorder: 25%");
    assert_eq!(
        (reordered, levers),
        (
            LinkQuality { delay: tail, reorder: vec![quarter], ..of() },
            vec![Lever::Delay, Lever::Reorder]
        )
    );
    let (narrow, levers) = quality("rate: 1Mbit, queue: 16KiB");
    assert_eq!(
        (narrow, levers),
        (
            LinkQuality { rate: Some(BitRate(1_000_000)), queue: Some(16 << 10), ..of() },
            vec![Lever::Rate]
        )
    );
}

/// What the steady way under the fault already has, the fault need not bring.
#[test]
fn a_queue_and_an_order_may_be_those_of_the_steady_way() {
    let fault = load("degrade", "{around: {service: store}, queue: 16KiB, reorder: 5%}");
    let mut topology = topology();
    assert_eq!(fault.check(&topology).len(), 2, "{:?}", fault.check(&topology));
    let access = LinkQuality {
        delay: Duration::from_millis(1),
        rate: Some(BitRate(1_000_000)),
        ..Default::default()
    };
    topology.cells.values_mut().for_each(|cell| cell.access = access.clone());
    assert_eq!(fault.check(&topology), []);
}

#[test]
fn nodes_end_in_the_state_that_was_asked() {
    let cases = [
        ("kill", "{node: store-us-west-1}", NodeState::Crashed),
        ("kill", "{node: store-us-west-1, signal: TERM}", NodeState::Terminated),
        ("pause", "{node: store-us-west-1}", NodeState::Stopped),
        ("pause", "{node: store-us-west-1, how: machine}", NodeState::Frozen),
        ("power-loss", "{node: store-us-west-1}", NodeState::PowerLost),
    ];
    for (kind, yaml, state) in cases {
        assert_eq!(
            world(kind, yaml).nodes,
            BTreeMap::from([("store-us-west-1".into(), state.into())]),
            "{kind}: {yaml}"
        );
    }
}

#[test]
fn one_process_is_hit_and_the_others_run_on() {
    let cases = [
        ("kill", "{node: store-us-west-1, process: store}", ProcessState::Crashed),
        ("kill", "{node: store-us-west-1, process: store, signal: TERM}", ProcessState::Terminated),
        ("pause", "{node: store-us-west-1, process: store}", ProcessState::Stopped),
    ];
    for (kind, yaml, state) in cases {
        let condition =
            NodeCondition { processes: [("store".into(), state)].into(), ..Default::default() };
        let world = world(kind, yaml);
        assert_eq!(world.nodes, BTreeMap::from([("store-us-west-1".into(), condition)]), "{yaml}");
        assert!(world.claims().iter().all(|claim| claim.severs() == Severs::SomePorts), "{yaml}");
        assert_eq!(load(kind, yaml).processes(), ["store"]);
    }
}

/// However much a link suffers, nobody is severed: who is behind it has to be served.
#[test]
fn a_degraded_link_severs_nobody() {
    for suffering in
        ["loss: 40%", "corrupt: 40%", "duplicate: 40%", "delay: 1s, reorder: 40%", "mtu: 600B"]
    {
        let world = world("degrade", &format!("{{around: {{service: store}}, {suffering}}}"));
        let severs = |link: &Link| world.severs(link);
        assert!(!world.links.is_empty());
        assert!(world.links.keys().all(|link| severs(link) == Severs::Nothing), "{suffering}");
    }
    let cut = world("partition", "{isolate: {service: store}}");
    assert!(cut.links.keys().all(|link| cut.severs(link) == Severs::Everything));
}

#[test]
fn assets_are_hit_by_region_and_fleet() {
    let silent = world("asset", "{region: us-west}");
    let cell = CellId::from("us-west/assets");
    let expected = [(cell, FleetCondition { state: FleetState::Silent })].into();
    assert_eq!(silent, Conditions { fleets: expected, ..Default::default() });
    let gone = world("asset", "{fleet: terminals, how: disconnect}");
    assert_eq!(gone.fleets.len(), 3, "wherever its assets are");
    assert!(gone.fleets.values().all(|fleet| fleet.state == FleetState::Disconnected));
    let nobody = load("asset", "{fleet: terminals, region: nowhere}");
    assert_eq!(pick(&*nobody, &topology()), [vec![]]);
}

#[test]
fn a_lost_region_takes_every_service_with_it() {
    let power = world("region-loss", "{region: us-west}");
    assert_eq!(
        power.nodes.keys().map(NodeId::as_str).collect::<Vec<_>>(),
        ["etcd-us-west", "store-us-west-1"]
    );
    let network = world("region-loss", "{region: us-west, how: network}");
    assert!(network.nodes.is_empty());
    let inside = Link::new(node("etcd-us-west"), node("store-us-west-1"));
    assert!(!network.links.contains_key(&inside), "its nodes reach each other");
    assert_eq!(
        network.links.len(),
        2 * 2 * (2 + 3),
        "two nodes, two other nodes and three cells, both ways"
    );
}

#[test]
fn how_many_is_read() {
    let mode = |yaml: &str| load("kill", yaml).targets()[0].mode();
    assert_eq!(mode("{service: etcd}"), Mode::All);
    assert_eq!(mode("{service: etcd, mode: one}"), Mode::One);
    assert_eq!(mode("{service: etcd, mode: {fixed: 2}}"), Mode::Fixed(2));
    assert_eq!(mode("{service: etcd, mode: {percent: 50%}}"), Mode::Percent(50.0));
}

#[test]
fn of_names_a_service_or_one_of_its_shards() {
    let target = |yaml: &str| -> NodeTarget {
        load("kill", yaml).targets()[0].nodes().expect("it kills nodes").clone()
    };
    assert_eq!(target("{role: leader, of: ingest/telemetry/0}").shard, Some("telemetry/0".into()));
    assert_eq!(target("{role: leader, of: ingest}").shard, None);
    assert_eq!(target("{role: leader, of: ingest}").service, Some("ingest".into()));
}
