//! A plan to change.

use std::{collections::BTreeMap, time::Duration};

use model::{
    Plan, Topology,
    plan::{Backoff, BackoffJitter, Connection, Failback, Fleet, Payload, PhaseEnd, Stream},
    topology::Node,
};

use super::world::ms;

/// One fleet with a stream of one reading per second and asset, which stops at `stop` and drains for a minute at most.
/// Two thirds live in `east`, the others in `west`; each goes to the other when its home does not answer.
pub(super) fn plan(assets: u32, stop: Duration) -> Plan {
    let (both, west) = (["east", "west"], assets / 3);
    let sample = kit::plan::fleet(assets, vec![stream("status", ms(1000))]);
    let fleet = Fleet {
        first: 10,
        home: BTreeMap::from([("east".into(), assets - west), ("west".into(), west)]),
        failover: BTreeMap::from([
            ("east".into(), vec!["west".into()]),
            ("west".into(), vec!["east".into()]),
        ]),
        cells: both.map(|region| (region.into(), format!("{region}/terminals").into())).into(),
        connection: Connection {
            connect_timeout: ms(500),
            request_timeout: ms(2000),
            backoff: Backoff {
                base: ms(1),
                factor: 2.0,
                max: ms(400),
                jitter: BackoffJitter::Full,
            },
            failback: Some(Failback { after: ms(5000), jitter: ms(1000) }),
            ..sample.connection.clone()
        },
        ..sample
    };
    let node = |region: &str, last| {
        let address = [198, 18, 0, last].into();
        Node { region: region.into(), zone: None, services: ["ingest".into()].into(), address }
    };
    let nodes = BTreeMap::from([("n1".into(), node("east", 1)), ("n2".into(), node("west", 2))]);
    let latest = stop + ms(60_000);
    Plan {
        topology: Topology { nodes, ..Topology::default() },
        phases: vec![
            kit::plan::phase("all", Duration::ZERO, PhaseEnd::At(stop)),
            kit::plan::phase("verify", stop, PhaseEnd::Quiesced { latest }),
        ],
        ..kit::plan::of(fleet)
    }
}

pub(super) fn stream(name: &str, every: Duration) -> Stream {
    let payload = Payload { p50: 100, p99: 200 };
    Stream { jitter: every / 2, payload, ..kit::plan::stream(name, every) }
}

/// The fleet of the plan.
pub(super) fn fleet(plan: &mut Plan) -> &mut Fleet {
    plan.fleets.values_mut().next().expect("it has one")
}
