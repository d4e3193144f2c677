//! What a scenario may write for the system. Needs no server.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::Topology;
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_MODULE::SYSTEM;

fn read<M>(kind: &Kind<M>, yaml: &str) -> (Option<Value>, Problems) {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let node = parse(yaml, SourceId(0), &mut ids, &mut problems).expect("it is YAML");
    let params = (kind.read)(&node, &mut problems);
    (params, problems)
}

/// Every kind with its example, read; a key that it does not know is told.
fn examples<M>(catalog: &'static Catalog<M>) -> Vec<(&'static Kind<M>, Value)> {
    let of_kind = |kind: &'static Kind<M>| {
        let (params, problems) = read(kind, kind.example);
        assert_eq!(problems, [], "{}", kind.name);
        assert_eq!(read(kind, "{colour: red}").1.len(), 1, "{}", kind.name);
        (kind, params.expect("no problem, no loss"))
    };
    catalog.kinds.iter().map(of_kind).collect()
}

#[test]
fn every_kind() {
    let topology = Arc::new(Topology::default());
    let site = Site { service: "servers".into(), topology, run: 7, seed: 1, keyring: Default::default() };
    for (kind, params) in examples(&SYSTEM.services) {
        let service = (kind.make)(&params, &site).expect("what was read can be made");
        assert!(service.shards().contains(&service.shard_of(0, 0)), "{}", kind.name);
        assert!(!service.roles().is_empty(), "{}", kind.name);
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let driver = (kind.make)(&params, &site).expect("what was read can be made");
        assert!(!driver.policy().is_empty(), "{}", kind.name);
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site).expect("what was read can be made");
    }
}
