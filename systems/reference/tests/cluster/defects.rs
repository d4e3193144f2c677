//! What a client sees of planted defects is what the journals say, reading by reading.

use std::{collections::BTreeSet, time::Duration};

use libtest_mimic::Trial;
use model::{Identity, envelope::Envelope};
use serde_json::json;
use tokio::time::timeout;
use wetdress_reference::{
    client,
    node::{Defect, shard_of},
};

use crate::{
    cluster::{Cluster, NAMES, SHARDS, identity, insist, post},
    trial,
};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("lost_acks_are_the_journals", lost_acks),
        trial("duplicates_are_the_journals_also_after_a_restart", duplicates),
        trial("time_travel_is_the_journals", time_travel),
        trial("a_dead_shard_never_answers_and_the_others_do", dead_shard),
        trial("a_stall_holds_and_is_journalled", stalls),
    ]
}

fn journalled(cluster: &Cluster, defect: Defect) -> BTreeSet<Identity> {
    let lines = NAMES.iter().flat_map(|name| cluster.journal(name));
    lines
        .filter(|line| line.defect == defect)
        .map(|line| line.identity.expect("this defect hits readings"))
        .collect()
}

async fn write_some(cluster: &Cluster) -> BTreeSet<Identity> {
    let all: BTreeSet<_> =
        (0..24).flat_map(|asset| (0..6).map(move |seq| identity(asset, seq))).collect();
    for (reading, node) in all.iter().zip(NAMES.into_iter().cycle()) {
        insist(cluster, node, *reading).await;
    }
    all
}

async fn lost_acks() {
    let cluster = Cluster::start(json!({"lost_ack": {"one_in": 8}}), &["--seed=3"]).await;
    let all = write_some(&cluster).await;
    let seen: BTreeSet<_> = cluster.census("a").await.into_keys().collect();
    let lost: BTreeSet<_> = all.difference(&seen).copied().collect();
    assert!(!lost.is_empty());
    assert_eq!(lost, journalled(&cluster, Defect::LostAck));
}

async fn duplicates() {
    let mut cluster = Cluster::start(json!({"duplicate": {"one_in": 8}}), &["--seed=3"]).await;
    write_some(&cluster).await;
    for name in NAMES {
        let doubled: BTreeSet<_> = cluster
            .census(name)
            .await
            .into_iter()
            .filter(|(_, count)| *count == 2)
            .map(|(identity, _)| identity)
            .collect();
        assert!(!doubled.is_empty());
        assert_eq!(doubled, journalled(&cluster, Defect::Duplicate));
    }
    let before = cluster.journal("b").len();
    cluster.kill("b");
    cluster.begin("b");
    cluster.ready().await;
    cluster.census("b").await;
    assert_eq!(cluster.journal("b").len(), before, "an instance stands in a node's journal once");
}

/// Polls one node as an observer does, and keeps what went back.
async fn time_travel() {
    let cluster = Cluster::start(json!({"time_travel": {"one_in": 4}}), &["--seed=3"]).await;
    let mut client = cluster.connect("a").await.expect("it is ready");
    let (mut cursors, mut went_back) = (vec![String::from("0.0"); SHARDS.into()], BTreeSet::new());
    let mut newest = std::collections::BTreeMap::new();
    for seq in 0..8 {
        for asset in 0..24 {
            insist(&cluster, "b", identity(asset, seq)).await;
        }
        // Twice: what this round showed may go back in the next.
        for round in 0..2 {
            for shard in 0..SHARDS {
                if round == 0 {
                    cluster.log("a", shard).await;
                }
                let cursor = &mut cursors[usize::from(shard)];
                let answer = client
                    .get(&format!("/v1/current?shard={shard}&since={cursor}&observer=eye"))
                    .await
                    .expect("an answer");
                *cursor =
                    client::header_text(&answer, "wetdress-cursor").expect("a cursor").to_owned();
                for (_, payload) in client::readings(&answer).expect("frames") {
                    let envelope = Envelope::read(&payload).expect("intact");
                    let before = newest.insert(envelope.identity.asset, envelope.generated);
                    if before.is_some_and(|before| before > envelope.generated) {
                        went_back.insert(envelope.identity);
                    }
                }
            }
        }
    }
    assert!(!went_back.is_empty());
    assert_eq!(went_back, journalled(&cluster, Defect::TimeTravel));
}

async fn dead_shard() {
    let cluster = Cluster::start(json!({"dead_shard": {"shard": 5, "after": "0s"}}), &[]).await;
    for asset in 0..36 {
        let mut client = cluster.connect("a").await.expect("it is ready");
        let answer = post(&mut client, identity(asset, 0), 1);
        if shard_of(asset, SHARDS) == 5 {
            assert!(timeout(Duration::from_millis(300), answer).await.is_err(), "it never answers");
        } else {
            assert_eq!(answer.await.expect("an answer").0, 200);
        }
    }
    let dead: Vec<_> =
        cluster.journal("a").into_iter().map(|line| (line.defect, line.shard)).collect();
    assert_eq!(dead, [(Defect::DeadShard, Some(5))]);
}

async fn stalls() {
    let cluster = Cluster::start(json!({"stall": {"for": "200ms", "every": "400ms"}}), &[]).await;
    let mut client = cluster.connect("a").await.expect("it is ready");
    let (mut held, mut seq) = (BTreeSet::new(), 0);
    while held.len() < 2 {
        let began = tokio::time::Instant::now();
        let (code, _) = post(&mut client, identity(1, seq), 1).await.expect("an answer");
        assert_eq!(code, 200);
        let journal =
            cluster.journal("a").into_iter().filter(|line| line.identity == Some(identity(1, seq)));
        if let Some(us) = journal.filter_map(|line| line.held_us).max() {
            assert!(
                began.elapsed()
                    >= Duration::from_micros(us).saturating_sub(Duration::from_millis(2)),
                "held at least as long as journalled"
            );
            held.insert(seq);
        }
        seq += 1;
    }
}
