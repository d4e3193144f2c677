//! What a scenario may write for plain HTTP, and the flags that come of it. Needs no server.

use std::sync::Arc;

use clap::Parser;
use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_basic::{SYSTEM, SinkArgs};

fn read<M>(kind: &Kind<M>, yaml: &str) -> (Option<Value>, Problems) {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let node = parse(yaml, SourceId(0), &mut ids, &mut problems).expect("it is YAML");
    let params = (kind.read)(&node, &mut problems);
    (params, problems)
}

/// Reads every kind's example, and checks that a key it does not know is told.
fn examples<M>(catalog: &'static Catalog<M>) -> Vec<(&'static Kind<M>, Value)> {
    let of_kind = |kind: &'static Kind<M>| {
        let (_, beside) = kind.example.split_once('\n').expect("the kind stands first");
        let (params, problems) = read(kind, if beside.is_empty() { "{}" } else { beside });
        assert_eq!(problems, [], "{}", kind.name);
        assert_eq!(read(kind, "{colour: red}").1.len(), 1, "{}", kind.name);
        (kind, params.expect("no problem, no loss"))
    };
    catalog.kinds.iter().map(of_kind).collect()
}

fn site() -> Site {
    let node = topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("ingest")].into(),
        address: [198, 18, 0, 1].into(),
    };
    let topology = Topology { nodes: [(NodeId::from("a"), node)].into(), ..Topology::default() };
    Site {
        service: "ingest".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

#[derive(Parser)]
struct Sink {
    #[command(flatten)]
    args: SinkArgs,
}

#[test]
fn every_kind_comes_to_life_and_a_sink_understands_its_service() {
    for (kind, params) in examples(&SYSTEM.services) {
        let service = (kind.make)(&params, &site()).expect("what was read can be made");
        let process = service.processes(&"a".into(), &*site().topology).remove(0);
        let sink = Sink::try_parse_from(&process.command.args).expect("its own words");
        assert_eq!((sink.args.listen.port(), sink.args.keep), (7080, 1_000_000));
        assert_eq!(service.shard_of(5, 1), service.shards()[0]);
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let policy = (kind.make)(&params, &site()).expect("what was read can be made").policy();
        for part in ["HTTP/2", "No retry", "511, 503", "2xx whose body was read to its end"] {
            assert!(policy.contains(part), "{policy}");
        }
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site()).expect("what was read can be made");
    }
}

#[test]
fn what_is_no_version_no_path_and_no_status_is_refused() {
    let kind = SYSTEM.drivers.find("http").expect("it is there");
    for (yaml, why) in [
        ("{version: 1.1}", "http1"),
        ("{version: 2}", "http2"),
        ("{version: http3}", "http3"),
        ("{path: readings}", "no path"),
        ("{path: '/a b'}", "no path"),
        ("{refused: [200]}", "300"),
        ("{refused: 503}", "list"),
    ] {
        let (params, problems) = read(kind, yaml);
        let told = problems.iter().any(|problem| format!("{problem:?}").contains(why));
        assert!(problems.len() == 1 && told, "{yaml}: {params:?} {problems:?}");
    }
}
