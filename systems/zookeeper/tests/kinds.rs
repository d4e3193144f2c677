//! What a scenario may write for ZooKeeper, and the configuration that comes of it. Needs no ZooKeeper.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_zookeeper::SYSTEM;

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
        assert_eq!((service.timers().len(), service.check().len()), (3, 0));
        assert_eq!(service.timers()[1].value, std::time::Duration::from_secs(3));
        let files = service.processes(&"n2".into(), &*site(3).topology).remove(0).files;
        assert_eq!(files["{data}/myid"], "2\n");
        let config = &files["zoo.cfg"];
        for line in [
            "tickTime=500\n",
            "syncLimit=6\n",
            "clientPortAddress=198.18.0.2\n",
            "server.3=198.18.0.3:2888:3888\n",
        ] {
            assert!(config.contains(line), "{line} is not in {config}");
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
fn an_ensemble_of_one_is_objected_to() {
    let kind = SYSTEM.services.find("zookeeper").expect("it is there");
    let service = (kind.make)(&serde_json::json!({}), &site(1)).expect("all has a default");
    assert_eq!(service.check().len(), 1);
}
