//! Elections, forwarding, loss of a leader, restart.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::LocalSet;
use wetdress_reference::{client, node::shard_of};

use crate::{
    cluster::{Cluster, NAMES, SHARDS, identity, insist, payload, post, until},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("every_shard_is_led_from_home_and_takes_readings_at_any_node", every_shard),
        trial("nothing_acknowledged_is_lost_when_a_leader_dies_and_leaders_go_home", leader_dies),
        trial("a_silent_leader_is_replaced_and_follows_when_it_is_back", leader_falls_silent),
        trial("everything_comes_back_after_all_nodes_died", all_die),
        trial("a_follower_redirects_when_told_to", redirects),
        trial("what_is_no_reading_is_refused", refuses),
    ]
}

async fn every_shard() {
    let cluster = Cluster::start(json!({}), &[]).await;
    for name in NAMES {
        let leaders = cluster.leaders(name).await.expect("ready nodes answer");
        // Regions in the order of their names: eu-west (c), us-east (b), us-west (a).
        let homes: Vec<_> = ["c", "b", "a"]
            .into_iter()
            .cycle()
            .take(12)
            .map(|name| Some(name.to_owned()))
            .collect();
        assert_eq!(leaders, homes, "seen by {name}");
        let mut client = cluster.connect(name).await.expect("it is ready");
        let mut shards = BTreeSet::new();
        for asset in 0..48 {
            let (code, body) = post(&mut client, identity(asset, name.as_bytes()[0].into()), 1)
                .await
                .expect("an answer");
            assert_eq!(code, 200, "{body}");
            assert_eq!(body["shard"], shard_of(asset, SHARDS));
            shards.insert(shard_of(asset, SHARDS));
        }
        assert_eq!(shards.len(), usize::from(SHARDS));
    }
    let census = cluster.census("a").await;
    assert_eq!(census.len(), 3 * 48);
    assert!(census.values().all(|count| *count == 1));
    assert_eq!(census, cluster.census("c").await);
}

async fn leader_dies() {
    let mut cluster = Cluster::start(json!({}), &[]).await;
    let mut acked = BTreeSet::new();
    for asset in 0..36 {
        insist(&cluster, "b", identity(asset, 0)).await;
        acked.insert(identity(asset, 0));
    }
    // Readings are under way, by connections of their own, while the leader of a third of the shards dies.
    let local = LocalSet::new();
    let mut under_way = vec![];
    for asset in 0..36 {
        let mut client = cluster.connect("b").await.expect("it is ready");
        under_way.push(local.spawn_local(async move {
            let mut acked = vec![];
            for seq in 1..20 {
                match post(&mut client, identity(asset, seq), 1).await {
                    Some((200, _)) => acked.push(identity(asset, seq)),
                    Some(_) => {}
                    None => break,
                }
            }
            acked
        }));
    }
    local.run_until(async { tokio::task::yield_now().await }).await;
    cluster.kill("a");
    local
        .run_until(async {
            for task in under_way {
                acked.extend(task.await.expect("no panic"));
            }
        })
        .await;
    for asset in 0..36 {
        insist(&cluster, "c", identity(asset, 100)).await;
        acked.insert(identity(asset, 100));
    }
    let leaders = cluster.leaders("b").await.expect("it lives");
    assert!(
        leaders.iter().all(|leader| leader.as_deref().is_some_and(|leader| leader != "a")),
        "{leaders:?}"
    );
    let successors: BTreeSet<_> = leaders.iter().skip(2).step_by(3).collect();
    assert_eq!(successors.len(), 2, "the shards of a dead node spread: {leaders:?}");
    for name in ["b", "c"] {
        let census = cluster.census(name).await;
        let lost: Vec<_> = acked.iter().filter(|identity| !census.contains_key(identity)).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
    }

    cluster.begin("a");
    cluster.ready().await;
    until("leaders at home", || async {
        let leaders = cluster.leaders("b").await?;
        leaders.iter().skip(2).step_by(3).all(|leader| leader.as_deref() == Some("a")).then_some(())
    })
    .await;
    let went: BTreeSet<_> = cluster
        .events("a")
        .iter()
        .filter(|event| event["event"] == "went_home")
        .map(|event| event["shard"].as_u64())
        .collect();
    assert_eq!(went, [2, 5, 8, 11].map(Some).into());
    let census = cluster.census("a").await;
    assert!(acked.iter().all(|identity| census.contains_key(identity)));
}

/// A stopped process says nothing at all: no end of a connection, no refusal.
async fn leader_falls_silent() {
    let cluster = Cluster::start(json!({}), &[]).await;
    let mut acked = BTreeSet::new();
    for asset in 0..12 {
        insist(&cluster, "c", identity(asset, 0)).await;
        acked.insert(identity(asset, 0));
    }
    cluster.signal("a", rustix::process::Signal::STOP);
    for asset in 0..12 {
        insist(&cluster, "c", identity(asset, 1)).await;
        acked.insert(identity(asset, 1));
    }
    let leaders = cluster.leaders("c").await.expect("it lives");
    assert!(leaders.iter().all(|leader| leader.as_deref() != Some("a")), "{leaders:?}");
    cluster.signal("a", rustix::process::Signal::CONT);
    for name in NAMES {
        let census = cluster.census(name).await;
        let lost: Vec<_> = acked.iter().filter(|identity| !census.contains_key(identity)).collect();
        assert!(lost.is_empty(), "{name} lost {lost:?}");
    }
}

async fn all_die() {
    let mut cluster = Cluster::start(json!({}), &[]).await;
    let all: BTreeSet<_> =
        (0..24).flat_map(|asset| (0..3).map(move |seq| identity(asset, seq))).collect();
    for reading in &all {
        insist(&cluster, "a", *reading).await;
    }
    NAMES.into_iter().for_each(|name| cluster.kill(name));
    NAMES.into_iter().for_each(|name| cluster.begin(name));
    cluster.ready().await;
    let census = cluster.census("b").await;
    assert_eq!(census.keys().copied().collect::<BTreeSet<_>>(), all);
    assert!(census.values().all(|count| *count == 1), "{census:?}");
    let newest = cluster.get("c", "/v1/current/5/0?read=linearizable").await.expect("an answer");
    assert_eq!(newest.body(), &payload(identity(5, 2), 1));
}

async fn redirects() {
    let cluster = Cluster::start(json!({}), &["--on-follower=redirect"]).await;
    let asset = (0..).find(|asset| shard_of(*asset, SHARDS) == 2).expect("every shard has assets");
    let mut client = cluster.connect("b").await.expect("it is ready");
    let answer =
        client.post("/v1/readings", payload(identity(asset, 0), 1)).await.expect("an answer");
    assert_eq!(answer.status(), 307);
    let place = client::header_text(&answer, "location").expect("a place");
    assert_eq!(place, format!("http://{}/v1/readings", cluster.address("a")));
}

async fn refuses() {
    let cluster = Cluster::start(json!({}), &[]).await;
    let mut client = cluster.connect("a").await.expect("it is ready");
    let mut torn = payload(identity(1, 1), 1).to_vec();
    torn[90] ^= 1;
    for body in [vec![], b"hello".to_vec(), torn] {
        let answer = client.post("/v1/readings", body.into()).await.expect("an answer");
        assert_eq!(answer.status(), 400);
    }
    assert_eq!(client.get("/v1/log/12").await.expect("an answer").status(), 404);
    assert!(cluster.census("a").await.is_empty());
}
