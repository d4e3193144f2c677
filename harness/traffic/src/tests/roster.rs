//! Where the readings of a fleet lie, in each service that they reach.

use std::collections::BTreeSet;

use model::{
    KindSpec, ShardRow,
    plan::{Observer, Shows},
};

use super::{
    sample::{fleet, plan, stream},
    world::ms,
};
use crate::shards;

/// The service that acks goes by the asset; the one behind it keeps the second stream apart.
#[test]
fn streams_share_a_row_where_they_lie_in_the_same_shards() {
    let mut plan = plan(4, ms(1000));
    fleet(&mut plan).streams.extend([stream("dump", ms(500)), stream("trace", ms(500))]);
    let name = plan.fleets.keys().next().expect("the sample has a fleet").clone();
    let observer = Observer {
        service: "sink".into(),
        observer: KindSpec { kind: "none".into(), params: serde_json::Value::Null },
        region: "east".into(),
        cell: "east/observers".into(),
        shows: Shows::Log,
        of_record: true,
        fleets: BTreeSet::from([name.clone()]),
    };
    plan.observers.insert("rows".into(), observer);
    let row = |service: &str, streams: &[u16], shards: &[&str], of: &[u32]| ShardRow {
        service: service.into(),
        fleet: name.clone(),
        streams: streams.to_vec(),
        shards: shards.iter().map(|shard| (*shard).into()).collect(),
        of: of.to_vec(),
    };
    let rows = shards(&plan, |service, asset, stream| match (service.as_str(), stream) {
        ("sink", 1) => "dump".into(),
        _ => format!("s{}", asset % 3).into(),
    });
    // The assets have the ids 10 to 13.
    let by_asset = [1, 2, 0, 1];
    assert_eq!(
        rows,
        [
            row("ingest", &[0, 1, 2], &["s0", "s1", "s2"], &by_asset),
            row("sink", &[0, 2], &["s0", "s1", "s2"], &by_asset),
            row("sink", &[1], &["dump"], &[0; 4]),
        ]
    );
}
