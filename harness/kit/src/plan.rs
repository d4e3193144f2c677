//! A small plan to change: one fleet, no stack, nothing that goes wrong. `Plan { phases, ..kit::plan::of(fleet) }` is a plan of one's own.

use std::{collections::BTreeMap, time::Duration};

use model::{
    KindSpec, Plan, Topology,
    load::Load,
    plan::{
        Ack, Backoff, BackoffJitter, Connection, FORMAT, Fleet, OnFull, Payload, Phase, PhaseEnd,
        PhaseKind, Recorder, ReplayOrder, Safety, Source, Stream, StreamPhase,
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// A kind without parameters.
#[must_use]
pub fn kind(name: &str) -> KindSpec {
    KindSpec { kind: name.into(), params: serde_json::Value::Null }
}

/// The plan of ten seconds, seed 42, with this fleet as `terminals`.
#[must_use]
pub fn of(fleet: Fleet) -> Plan {
    Plan {
        format: FORMAT,
        scenario: "sample".into(),
        summary: None,
        seed: 42,
        source: Source { file: "sample.yaml".into(), ..Default::default() },
        lab: kind("none"),
        topology: Topology::default(),
        services: BTreeMap::new(),
        fleets: BTreeMap::from([("terminals".into(), fleet)]),
        observers: BTreeMap::new(),
        theta: SECOND,
        capacity: None,
        threads: None,
        phases: vec![phase("all", Duration::ZERO, PhaseEnd::At(10 * SECOND))],
        windows: Vec::new(),
        safety: Safety::default(),
        gates: Vec::new(),
        expected_failures: None,
        reports: Vec::new(),
    }
}

/// Assets of the service `ingest` that all live in `west`. Nobody waits for longer than a second.
#[must_use]
pub fn fleet(assets: u32, streams: Vec<Stream>) -> Fleet {
    Fleet {
        service: "ingest".into(),
        driver: kind("none"),
        first: 0,
        assets,
        home: BTreeMap::from([("west".into(), assets)]),
        failover: BTreeMap::new(),
        cells: BTreeMap::from([("west".into(), "west/terminals".into())]),
        streams,
        load: Load::default(),
        connection: Connection {
            connect_timeout: SECOND,
            request_timeout: SECOND,
            backoff: Backoff {
                base: SECOND,
                factor: 2.0,
                max: SECOND,
                jitter: BackoffJitter::Full,
            },
            shared_by: 1,
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
    }
}

/// Readings of 100 bytes at random times of each asset's own.
#[must_use]
pub fn stream(name: &str, every: Duration) -> Stream {
    Stream {
        name: name.into(),
        every,
        phase: StreamPhase::Random,
        jitter: Duration::ZERO,
        payload: Payload { p50: 100, p99: 100 },
        ack: Ack::Required,
    }
}

/// Steady and measured.
#[must_use]
pub fn phase(name: &str, start: Duration, end: PhaseEnd) -> Phase {
    Phase { name: name.into(), kind: PhaseKind::Other, start, end, measure: true, steady: true }
}
