//! A plan to change.

use std::{collections::BTreeMap, time::Duration};

use model::{
    KindSpec, Plan, Topology,
    plan::{
        Ack, Backoff, BackoffJitter, Connection, FORMAT, Failback, Fleet, OnFull, Payload, Phase,
        PhaseEnd, Recorder, ReplayOrder, Safety, Source, Stream, StreamPhase,
    },
    topology::Node,
};

use super::world::ms;

/// One fleet with a stream of one reading per second and asset, which stops at `stop` and drains for a minute at most.
/// Two thirds live in `east`, the others in `west`; each goes to the other when its home does not answer.
pub(super) fn plan(assets: u32, stop: Duration) -> Plan {
    let kind = || KindSpec { kind: "none".into(), params: serde_json::Value::Null };
    let west = assets / 3;
    let fleet = Fleet {
        service: "ingest".into(),
        driver: kind(),
        first: 10,
        assets,
        home: BTreeMap::from([("east".into(), assets - west), ("west".into(), west)]),
        failover: BTreeMap::from([
            ("east".into(), vec!["west".into()]),
            ("west".into(), vec!["east".into()]),
        ]),
        cells: BTreeMap::from([
            ("east".into(), "east/terminals".into()),
            ("west".into(), "west/terminals".into()),
        ]),
        streams: vec![stream("status", ms(1000))],
        connection: Connection {
            connect_timeout: ms(500),
            request_timeout: ms(2000),
            backoff: Backoff {
                base: ms(1),
                factor: 2.0,
                max: ms(400),
                jitter: BackoffJitter::Full,
            },
            max_inflight: 4,
            attempts: 3,
            failback: Some(Failback { after: ms(5000), jitter: ms(1000) }),
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
    let node = |region: &str, last| {
        let address = [198, 18, 0, last].into();
        Node { region: region.into(), zone: None, services: ["ingest".into()].into(), address }
    };
    let topology = Topology {
        nodes: BTreeMap::from([("n1".into(), node("east", 1)), ("n2".into(), node("west", 2))]),
        ..Topology::default()
    };
    let phase = |name: &str, start, end| Phase {
        name: name.into(),
        start,
        end,
        measure: true,
        steady: true,
    };
    let latest = stop + ms(60_000);
    Plan {
        format: FORMAT,
        scenario: "sample".into(),
        summary: None,
        seed: 42,
        source: Source { file: "sample.yaml".into(), ..Default::default() },
        lab: kind(),
        topology,
        services: BTreeMap::new(),
        fleets: BTreeMap::from([("terminals".into(), fleet)]),
        observers: BTreeMap::new(),
        theta: ms(1000),
        phases: vec![
            phase("all", Duration::ZERO, PhaseEnd::At(stop)),
            phase("verify", stop, PhaseEnd::Quiesced { latest }),
        ],
        windows: Vec::new(),
        safety: Safety::default(),
        gates: Vec::new(),
        reports: Vec::new(),
    }
}

pub(super) fn stream(name: &str, every: Duration) -> Stream {
    Stream {
        name: name.into(),
        every,
        phase: StreamPhase::Random,
        jitter: every / 2,
        payload: Payload { p50: 100, p99: 200 },
        ack: Ack::Required,
    }
}

/// The fleet of the plan.
pub(super) fn fleet(plan: &mut Plan) -> &mut Fleet {
    plan.fleets.values_mut().next().expect("it has one")
}
