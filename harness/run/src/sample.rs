//! A small plan for the tests of this room.

use std::{collections::BTreeMap, time::Duration};

use model::{
    KindSpec, Plan, Topology,
    plan::{
        Backoff, BackoffJitter, Connection, FORMAT, Fleet, OnFull, Phase, PhaseEnd, Recorder,
        ReplayOrder, Safety, Source, Stream,
    },
};

/// One fleet `terminals` for ten seconds.
pub(crate) fn plan(assets: u32, streams: Vec<Stream>) -> Plan {
    let kind = || KindSpec { kind: "none".into(), params: serde_json::Value::Null };
    let second = Duration::from_secs(1);
    let fleet = Fleet {
        service: "ingest".into(),
        driver: kind(),
        first: 0,
        assets,
        home: BTreeMap::from([("west".into(), assets)]),
        failover: BTreeMap::new(),
        cells: BTreeMap::from([("west".into(), "west/terminals".into())]),
        streams,
        connection: Connection {
            connect_timeout: second,
            request_timeout: second,
            backoff: Backoff {
                base: second,
                factor: 2.0,
                max: second,
                jitter: BackoffJitter::Full,
            },
            max_inflight: 4,
            attempts: 3,
            failback: None,
        },
        recorder: Recorder {
            capacity_bytes: 1 << 20,
            on_full: OnFull::DropOldest,
            order: ReplayOrder::LiveFirst,
            rate: 5.0,
            mark_stored: true,
        },
        probe: false,
    };
    Plan {
        format: FORMAT,
        scenario: "sample".into(),
        summary: None,
        seed: 42,
        source: Source { file: "sample.yaml".into(), sha256: String::new() },
        lab: kind(),
        topology: Topology::default(),
        services: BTreeMap::new(),
        fleets: BTreeMap::from([("terminals".into(), fleet)]),
        observers: BTreeMap::new(),
        theta: second,
        phases: vec![Phase {
            name: "all".into(),
            start: Duration::ZERO,
            end: PhaseEnd::At(Duration::from_secs(10)),
            measure: true,
            steady: true,
        }],
        windows: Vec::new(),
        safety: Safety::default(),
        gates: Vec::new(),
        reports: Vec::new(),
    }
}
