//! What a scenario may write for Redis, and the configuration that comes of it. Needs no Redis.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_redis::SYSTEM;

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
        services: [ServiceId::from("store")].into(),
        address: [198, 18, 0, last].into(),
    };
    let nodes = (1..=nodes).map(|last| (NodeId::from(format!("n{last}")), node(last)));
    let topology = Topology { nodes: nodes.collect(), ..Topology::default() };
    Site {
        service: "store".into(),
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
        let on = |node: &str| service.processes(&node.into(), &*site(3).topology);
        let server = |node: &str| on(node)[0].files["redis.conf"].clone();
        assert!(!server("n1").contains("replicaof"), "the first node is the master");
        for line in
            ["bind 198.18.0.2\n", "replicaof 198.18.0.1 6379\n", "min-replicas-to-write 0\n"]
        {
            assert!(server("n2").contains(line), "{line} is not in {}", server("n2"));
        }
        let sentinel = &on("n2")[1].files["sentinel.conf"];
        for line in [
            "sentinel announce-ip 198.18.0.2\n",
            "sentinel monitor wetdress 198.18.0.1 6379 2\n",
            "sentinel down-after-milliseconds wetdress 2000\n",
            "sentinel failover-timeout wetdress 10000\n",
        ] {
            assert!(sentinel.contains(line), "{line} is not in {sentinel}");
        }
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
fn more_replicas_than_a_master_has_are_objected_to() {
    let kind = SYSTEM.services.find("redis").expect("it is there");
    let params = serde_json::json!({"min_replicas_to_write": 3});
    let service = (kind.make)(&params, &site(3)).expect("it is read");
    let objections = service.check();
    assert_eq!(objections.len(), 1);
    assert_eq!(objections[0].key, "min_replicas_to_write");
}
