//! What a scenario may write for Mosquitto, and the configuration that comes of it. Needs no broker.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_mosquitto::SYSTEM;

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
        assert_eq!((service.timers().len(), service.check().len()), (0, 0));
        let config =
            &service.processes(&"n2".into(), &*site(3).topology)[0].files["mosquitto.conf"];
        for line in
            ["listener 1883 198.18.0.2\n", "autosave_interval 1\n", "max_queued_messages 0\n"]
        {
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
