//! What a scenario may write for RabbitMQ, and the configuration that comes of it. Needs no RabbitMQ.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_rabbitmq::SYSTEM;

fn read<M>(kind: &Kind<M>, yaml: &str) -> (Option<Value>, Problems) {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let node = parse(yaml, SourceId(0), &mut ids, &mut problems).expect("it is YAML");
    let params = (kind.read)(&node, &mut problems);
    (params, problems)
}

/// Reads every kind's example, and checks that a key it does not know is told.
fn examples<M>(catalog: &'static Catalog<M>) -> Vec<(&'static Kind<M>, Value)> {
    let of_kind = |kind: &'static Kind<M>| {
        let (params, problems) = read(kind, kind.example);
        assert_eq!(problems, [], "{}", kind.name);
        assert_eq!(read(kind, "{colour: red}").1.len(), 1, "{}", kind.name);
        (kind, params.expect("no problem, no loss"))
    };
    catalog.kinds.iter().map(of_kind).collect()
}

fn site(nodes: u8) -> Site {
    let node = |last| topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("ingest")].into(),
        address: [198, 18, 0, last].into(),
    };
    let nodes = (1..=nodes).map(|last| (NodeId::from(format!("n{last}")), node(last)));
    let topology = Topology { nodes: nodes.collect(), ..Topology::default() };
    Site {
        service: "ingest".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

#[test]
fn every_kind() {
    for (kind, params) in examples(&SYSTEM.services) {
        let service = (kind.make)(&params, &site(3)).expect("what was read can be made");
        assert_eq!((service.timers().len(), service.check().len()), (2, 0));
        assert_eq!(service.shard_of(5, 0), "q0".into());
        let process = &service.processes(&"n2".into(), &*site(3).topology)[0];
        let config = &process.files["rabbitmq.conf"];
        for line in [
            "listeners.tcp.1 = 198.18.0.2:5672\n",
            "net_ticktime = 5\n",
            "cluster_partition_handling = pause_minority\n",
            "cluster_formation.classic_config.nodes.3 = rabbit@198.18.0.3\n",
        ] {
            assert!(config.contains(line), "{line} is not in {config}");
        }
        assert_eq!(process.command.env["RABBITMQ_NODENAME"], "rabbit@198.18.0.2");
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let policy = (kind.make)(&params, &site(3)).expect("what was read can be made").policy();
        assert!(policy.contains("No retry") && policy.contains("after 1s"), "{policy}");
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site(3)).expect("what was read can be made");
    }
}

#[test]
fn brokers_of_one_run_share_a_cookie_that_another_run_has_not() {
    let kind = SYSTEM.services.find("rabbitmq").expect("it is there");
    let cookie = |site: &Site, node: &str| {
        let service = (kind.make)(&serde_json::json!({}), site).expect("all has a default");
        let files = service.processes(&node.into(), &*site.topology).remove(0).files;
        files["{data}/.erlang.cookie"].clone()
    };
    assert_eq!(cookie(&site(3), "n1"), cookie(&site(3), "n2"));
    assert_ne!(cookie(&site(3), "n1"), cookie(&Site { run: 8, ..site(3) }, "n1"));
}

#[test]
fn more_replicas_than_brokers_are_objected_to() {
    let kind = SYSTEM.services.find("rabbitmq").expect("it is there");
    let service = (kind.make)(&serde_json::json!({"replicas": 3}), &site(2)).expect("it is read");
    let objections = service.check();
    assert_eq!(objections.len(), 1);
    assert_eq!(objections[0].key, "replicas");
}

#[test]
fn a_tick_time_is_in_whole_seconds() {
    let kind = SYSTEM.services.find("rabbitmq").expect("it is there");
    assert_eq!(read(kind, "{net_ticktime: 5s}").1, []);
    assert_eq!(read(kind, "{net_ticktime: 4500ms}").1.len(), 1);
    assert_eq!(read(kind, "{net_ticktime: 1s}").1.len(), 1);
}
