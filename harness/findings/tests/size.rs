//! How long a big run takes to find. By hand: `cargo test --release -p wetdress-findings --test size -- --ignored --nocapture`.
#![allow(clippy::print_stderr, reason = "the measurement is the point")]

use model::ledger::Fate;
use wetdress_findings::facts::{self, Facts, SECOND, Seen, Sightings};
use wetdress_findings::{Reading, find};

const ASSETS: u32 = 20_000;
const SECONDS: i64 = 500;

/// Ten million readings, an outage of ten seconds for half of the assets.
#[test]
#[ignore = "takes gigabytes and a release build"]
fn ten_million_readings() {
    let facts = facts();
    let begin = std::time::Instant::now();
    let found = find(&facts);
    eprintln!("{} readings found in {:?}", facts.readings.len(), begin.elapsed());
    assert_eq!(found.longest_outage.all.hit, u64::from(ASSETS / 2));
    assert_eq!(found.loss.count, 0);
}

fn status() -> facts::Stream {
    facts::Stream {
        name: "status".into(),
        fleet: 0,
        number: 0,
        period: SECOND,
        load: model::load::Warp::default(),
        required: true,
        gated: true,
    }
}

fn facts() -> Facts {
    let asset = |i: u32| facts::Asset {
        id: i,
        home: (i % 2) as usize,
        region: (i % 2) as usize,
        ..Default::default()
    };
    let readings: Vec<Reading> =
        (0..ASSETS).flat_map(|a| (0..SECONDS).map(move |s| reading(a, s))).collect();
    let pairs = readings
        .iter()
        .zip(0u32..)
        .map(|(r, i)| (i, Seen { t: r.t_acked, at: Some(i64::from(i)) }))
        .collect();
    let log = facts::Observer {
        name: "log".into(),
        service: 0,
        takes: vec![true],
        kind: facts::ObserverKind::SystemOfRecord,
        region: None,
        poll: 0,
        passed: Some(vec![i64::MAX; 12]),
        head: vec![0; 12],
        corrupt: Vec::new(),
        blind: Vec::new(),
        sightings: Sightings::new(readings.len(), pairs),
    };
    let (effect, heal) = (300 * SECOND, 400 * SECOND);
    let phase = |name: &str, start, end, steady| facts::Phase {
        name: name.to_owned(),
        start,
        end,
        steady,
        baseline: steady,
    };
    let change = |t, kind| facts::Change { t, kind, same_episode: false };
    Facts {
        end: (SECONDS + 10) * SECOND,
        stop: SECONDS * SECOND,
        theta: SECOND,
        slo: SECOND,
        regions: vec!["west".into(), "east".into()],
        services: vec![store()],
        fleets: vec![facts::Fleet { name: "terminals".into(), service: 0 }],
        assets: (0..ASSETS).map(asset).collect(),
        streams: vec![status()],
        observers: vec![log],
        phases: vec![phase("baseline", 0, effect, true), phase("fault", effect, heal, false)],
        changes: vec![
            change(effect, facts::ChangeKind::Fault),
            change(heal, facts::ChangeKind::Heal),
        ],
        episodes: vec![facts::Episode {
            t_effect: effect,
            t_heal: Some(heal),
            affected: Some(facts::Affects { regions: vec![(0, 0)], ..Default::default() }),
            windows: Vec::new(),
            cut_off: Default::default(),
        }],
        readings,
        ..Facts::default()
    }
}

fn store() -> facts::Service {
    let of = (0..ASSETS).map(|a| a % 12).collect();
    facts::Service {
        name: "store".into(),
        shards: (0..12).map(|s| format!("s{s:02}")).collect(),
        columns: vec![Some(facts::Column { first: 0, of })],
    }
}

fn reading(asset: u32, second: i64) -> Reading {
    let t = second * SECOND + i64::from(asset) * 49;
    let out = asset.is_multiple_of(2) && (300..310).contains(&second);
    let acked = if out { 310 * SECOND + i64::from(asset) } else { t } + 5_000;
    Reading {
        asset,
        stream: 0,
        attempts: 1,
        boot: 1,
        fate: Fate::Acked,
        seq: second.unsigned_abs(),
        t_gen: t,
        t_ready: t,
        sent_first: t,
        sent_last: t,
        t_acked: acked,
        ack_pos: -1,
        acked_by: u16::MAX,
    }
}
