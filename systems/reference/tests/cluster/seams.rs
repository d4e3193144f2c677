//! Service, driver and observer against real nodes, the way the engine uses them.

use std::{collections::BTreeSet, sync::Arc};

use ::seams::{
    Batch, Clock, ConnId, ConnectRequest, Disconnect, Lane, Origin, Outgoing, Progress, Service,
    catalog::System,
};
use libtest_mimic::Trial;
use model::{Identity, Outcome, plan::Shows};
use serde_json::{Value, json};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{Instant, timeout},
};
use wetdress_reference::{SYSTEM, node::Defect};

use crate::{
    cluster::{Cluster, NAMES, REGIONS, identity, insist, patience, payload, until},
    loopback::{Loopback, Memory, site, vantage},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("every_kind_comes_to_life", kinds_live),
        trial("the_service_says_what_its_nodes_believe", beliefs),
        trial("the_driver_acknowledges_and_says_when_it_is_gone", drives),
        trial("observers_see_each_reading_once_and_a_read_back_agrees", observes),
        trial("an_observer_of_current_values_sees_the_planted_time_travel", sees_time_travel),
    ]
}

fn service(cluster: &Cluster) -> Arc<dyn Service> {
    let System { services, .. } = &SYSTEM;
    (services.kinds[0].make)(&json!({}), &site(cluster)).expect("all parameters have defaults")
}

async fn kinds_live() {
    let cluster = Cluster::start(json!({}), &[]).await;
    let site = site(&cluster);
    let service = (SYSTEM.services.kinds[0].make)(
        &json!({"shards": 6, "planted": {"lost_ack": {"one_in": 9}}}),
        &site,
    )
    .expect("stored form");
    assert_eq!(service.shards().len(), 6);
    assert!((0..600).all(|asset| service.shards().contains(&service.shard_of(asset, 0))));
    let process = service.processes(&"b".into(), &*site.topology).remove(0);
    assert_eq!(process.command.program.to_str(), Some("{self}"));
    // What the service writes, a node reads.
    let words = ["node"].into_iter().chain(process.command.args[2..].iter().map(String::as_str));
    let args = <wetdress_reference::node::Args as clap::Parser>::try_parse_from(words)
        .expect("a node understands its service");
    assert_eq!(
        (args.shards, args.seed, args.planted.lost_ack.map(|chance| *chance.one_in)),
        (6, 3, Some(9))
    );
    assert_eq!(args.peers.iter().map(|peer| peer.region.as_str()).collect::<Vec<_>>(), REGIONS);
    let policy = (SYSTEM.drivers.kinds[0].make)(&json!({}), &site).expect("stored form").policy();
    assert!(policy.contains("No retry"));
    assert!((SYSTEM.observers.kinds[0].make)(&json!({"poll": "50ms"}), &site).is_ok());
}

async fn beliefs() {
    let mut cluster = Cluster::start(json!({}), &[]).await;
    let (service, network) = (service(&cluster), Loopback::of(&cluster));
    until("ready", || async { service.ready(&*network).await.ok() }).await;
    assert!(service.version(&*network).await.expect("an answer").starts_with("reference 0."));
    assert!(service.redundant(&*network).await.expect("an answer"));
    let roles = service.believes(&*network, &"a".into()).await.expect("an answer");
    let leads: Vec<_> = roles
        .iter()
        .filter(|role| role.role.kind.leads())
        .map(|role| role.shard.as_str().to_owned())
        .collect();
    assert_eq!(leads, ["s2", "s5", "s8", "s11"]);
    cluster.kill("a");
    assert!(!service.redundant(&*network).await.unwrap_or(false));
    assert!(service.believes(&*network, &"a".into()).await.is_err());
    until("a new leader", || async {
        let roles = service.believes(&*network, &"b".into()).await.ok()?;
        roles
            .iter()
            .any(|role| role.shard.as_str() == "s2" && role.role.kind.leads() && role.term > 1)
            .then_some(())
    })
    .await;
}

/// Hands out what a lane says until enough was said.
async fn said(lane: &mut dyn Lane, enough: impl Fn(&[Progress]) -> bool) -> Vec<Progress> {
    let mut out = vec![];
    let listening = async {
        while !enough(&out) {
            std::future::poll_fn(|cx| lane.poll(cx, &mut out)).await;
        }
    };
    timeout(patience(), listening).await.expect("the lane speaks in time");
    out
}

async fn drives() {
    let mut cluster = Cluster::start(json!({}), &[]).await;
    let driver = (SYSTEM.drivers.kinds[0].make)(&json!({}), &site(&cluster)).expect("stored form");
    let network = Loopback::of(&cluster);
    LocalSet::new()
        .run_until(async {
            let mut lane = driver.lane(network, Clock::new(Instant::now()));
            let request = |asset: u32, region: &str| ConnectRequest {
                conn: ConnId(asset),
                assets: asset..asset + 1,
                from: Origin::cell(&"cell".into(), asset),
                region: region.into(),
                attempt: 0,
            };
            let wanted: Vec<_> =
                (0..9).map(|asset| request(asset, REGIONS[asset as usize % 3])).collect();
            lane.connect(&wanted);
            let up = said(&mut *lane, |out| out.len() == 9).await;
            assert!(up.iter().all(|progress| matches!(progress, Progress::Up { .. })), "{up:?}");
            let arena: Vec<u8> = (0..9).flat_map(|asset| payload(identity(asset, 0), 1)).collect();
            let length = u32::try_from(arena.len() / 9).expect("short");
            let readings: Vec<_> = (0..9)
                .map(|asset| Outgoing {
                    ticket: asset,
                    conn: ConnId(asset),
                    identity: identity(asset, 0),
                    attempt: 1,
                    start: asset * length,
                    length,
                })
                .collect();
            let mut refused = vec![];
            lane.submit(Batch { readings: &readings, arena: &arena.into() }, &mut refused);
            assert!(refused.is_empty());
            let all = said(&mut *lane, |out| {
                out.iter().filter(|progress| matches!(progress, Progress::Done { .. })).count() == 9
            })
            .await;
            for progress in &all {
                if let Progress::Done { outcome, by, position, .. } = progress {
                    assert!(
                        *outcome == Outcome::Acked && by.is_some() && position.is_some(),
                        "{progress:?}"
                    );
                }
            }
            lane.disconnect(ConnId(0), Disconnect::Close);
            cluster.kill("a");
            let down = said(&mut *lane, |out| out.len() == 2).await;
            let assets: BTreeSet<_> = down
                .iter()
                .filter_map(|progress| {
                    if let Progress::Down { conn, .. } = progress { Some(conn.0) } else { None }
                })
                .collect();
            assert_eq!(assets, [3, 6].into(), "the others go to nodes that live");
            lane.connect(&[request(0, REGIONS[0])]);
            let refused = said(&mut *lane, |out| !out.is_empty()).await;
            assert!(matches!(refused[0], Progress::Down { conn: ConnId(0), .. }), "{refused:?}");
        })
        .await;
    assert_eq!(cluster.census("b").await.len(), 9);
}

/// Starts an observer of a region and remembers what it sees.
fn observe(
    tasks: &mut JoinSet<()>,
    cluster: &Cluster,
    region: &str,
    shows: Shows,
    params: &Value,
) -> Arc<Memory> {
    let observer = (SYSTEM.observers.kinds[0].make)(params, &site(cluster)).expect("stored form");
    let (memory, network) = (Arc::new(Memory::default()), Loopback::of(cluster));
    let (sink, vantage) = (memory.clone(), vantage(region, shows, &Clock::new(Instant::now())));
    tasks.spawn(async move {
        observer.watch(network, vantage, sink).await;
    });
    memory
}

async fn observes() {
    let mut cluster = Cluster::start(json!({}), &[]).await;
    let mut tasks = JoinSet::new();
    let sink: Vec<_> = REGIONS
        .iter()
        .map(|region| observe(&mut tasks, &cluster, region, Shows::Log, &json!({})))
        .collect();
    let mut all: BTreeSet<Identity> = (0..36).map(|asset| identity(asset, 0)).collect();
    for reading in &all {
        insist(&cluster, "b", *reading).await;
    }
    cluster.kill("a");
    for asset in 0..36 {
        all.insert(identity(asset, 1));
        insist(&cluster, "c", identity(asset, 1)).await;
    }
    cluster.begin("a");
    cluster.ready().await;
    let observer =
        (SYSTEM.observers.kinds[0].make)(&json!({}), &site(&cluster)).expect("stored form");
    let network = Loopback::of(&cluster);
    for (region, sink) in REGIONS.iter().zip(&sink) {
        let vantage = vantage(region, Shows::Log, &Clock::new(Instant::now()));
        let head =
            until("a head", || async { observer.head(network.clone(), &vantage).await.ok() }).await;
        until("an observer that passed the head", || async {
            (*sink.passed.lock().expect("no panic") == head).then_some(())
        })
        .await;
        let census = sink.census();
        assert!(all.iter().all(|identity| census.contains_key(identity)));
        let back = Arc::new(Memory::default());
        let read = until("a read-back", || async {
            observer.read_back(network.clone(), &vantage, back.clone()).await.ok()
        })
        .await;
        assert_eq!(read, head);
        assert_eq!(back.census(), census, "nothing twice, and every copy is the same");
    }
    assert!(!sink[0].blind.lock().expect("no panic").is_empty(), "its node was dead");
    assert!(sink[1].blind.lock().expect("no panic").is_empty());
}

async fn sees_time_travel() {
    let cluster = Cluster::start(json!({"time_travel": {"one_in": 4}}), &["--seed=3"]).await;
    let mut tasks = JoinSet::new();
    let sink =
        observe(&mut tasks, &cluster, REGIONS[0], Shows::CurrentValue, &json!({"poll": "20ms"}));
    let latest = |asset: u32| {
        let seen = sink.seen.lock().expect("no panic");
        seen.iter()
            .filter(|sighting| sighting.identity.asset == asset)
            .map(|sighting| sighting.identity.seq)
            .max()
    };
    for seq in 0..8 {
        for asset in 0..12 {
            insist(&cluster, "b", identity(asset, seq)).await;
        }
        // The next value comes when this one was seen, so that every drawn one is shown.
        until("the newest values", || async {
            (0..12).all(|asset| latest(asset) == Some(seq)).then_some(())
        })
        .await;
    }
    let journalled = || -> BTreeSet<Identity> {
        let lines = NAMES.iter().flat_map(|name| cluster.journal(name));
        lines
            .filter(|line| line.defect == Defect::TimeTravel)
            .filter_map(|line| line.identity)
            .collect()
    };
    // Sequences run from 0, so what went back has a smaller one than the newest seen before it.
    let gone_back = || {
        let mut newest = std::collections::BTreeMap::new();
        let seen = sink.seen.lock().expect("no panic");
        let older = seen.iter().filter(|sighting| {
            let newest = newest.entry(sighting.identity.asset).or_insert(0);
            *newest = sighting.identity.seq.max(*newest);
            sighting.identity.seq < *newest
        });
        older.map(|sighting| sighting.identity).collect::<BTreeSet<_>>()
    };
    until("the journal's instances", || async {
        (!journalled().is_empty() && gone_back() == journalled()).then_some(())
    })
    .await;
}
