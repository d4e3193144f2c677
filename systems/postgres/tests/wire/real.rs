//! What is inserted is acked, shown and read back, and a transaction that is late is not passed over.

use std::sync::Arc;

use kit::answer as until;
use model::{Outcome, ShardId, plan::Shows};
use seams::{Network, Origin};
use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::{
    rig::{Assets, Notebook, network, observer, vantage},
    server::{Server, with_server},
};

/// A session of our own beside the driver's.
async fn client(server: &Server) -> Client {
    let network = network(&server.site);
    let address = network.address(&"n1".into(), 5432);
    let stream = network.tcp(&Origin::node(&"n1".into()), address).await.expect("it listens");
    let mut config = tokio_postgres::Config::new();
    config.user("postgres").dbname("postgres");
    let (client, connection) = config.connect_raw(stream, NoTls).await.expect("it lets us in");
    tokio::spawn(connection);
    client
}

#[test]
fn what_is_acked_is_shown_and_read_back() {
    with_server(async |server: Server| {
        let network = network(&server.site);
        let version = server.service.version(&*network).await.expect("it answers");
        assert!(version.starts_with("PostgreSQL 15."), "{version}");
        assert!(server.service.redundant(&*network).await.expect("it answers"));
        let role = server.service.believes(&*network, &"n1".into()).await.expect("it answers");
        assert_eq!((role[0].role.name, role[0].term), ("primary", 1));

        let mut assets = Assets::new(&server.site, &json!({"pool": 2}));
        assets.up(0).await;
        assets.up(1).await;
        let tickets: Vec<u32> = (0..100)
            .map(|number| assets.send(Assets::identity(number % 2, u64::from(number / 2)), 1))
            .collect();
        for ticket in tickets {
            assert_eq!(assets.done(ticket).await.0, Outcome::Acked);
        }

        let (observer, sink) = (observer(&server.site), Arc::new(Notebook::default()));
        let vantage = vantage("r1", Shows::Log, &assets.clock);
        let head = observer.head(network.clone(), &vantage).await.expect("it answers");
        let back =
            observer.read_back(network.clone(), &vantage, sink.clone()).await.expect("it answers");
        assert_eq!(head, back);
        assert_eq!(sink.has_passed(), head[&ShardId::from("postgres")]);
        assert!(head[&ShardId::from("postgres")] >> 40 == 1, "positions name their timeline");
        let mut found = sink.identities();
        found.sort_unstable();
        let sent: Vec<_> =
            (0..2).flat_map(|asset| (0..50).map(move |seq| Assets::identity(asset, seq))).collect();
        assert_eq!(found, sent);
        assert!(sink.saw.lock().expect("no test panicked").iter().all(|seen| seen.intact));
    });
}

#[test]
fn duplicates_are_seen() {
    with_server(async |server: Server| {
        let mut assets = Assets::new(&server.site, &json!({}));
        assets.up(0).await;
        let twice = Assets::identity(0, 0);
        assets.acked(twice).await;
        assets.acked(twice).await;
        let (network, sink) = (network(&server.site), Arc::new(Notebook::default()));
        let vantage = vantage("r1", Shows::Log, &assets.clock);
        let reading = observer(&server.site).read_back(network, &vantage, sink.clone()).await;
        reading.expect("it answers");
        let saw = sink.saw.lock().expect("no test panicked");
        assert_eq!(saw.len(), 2);
        assert_ne!(saw[0].position, saw[1].position);
    });
}

#[test]
fn a_transaction_that_commits_late_is_not_passed_over() {
    with_server(async |server: Server| {
        let mut assets = Assets::new(&server.site, &json!({}));
        assets.up(0).await;
        assets.acked(Assets::identity(0, 0)).await;
        let late = client(&server).await;
        late.batch_execute(
            "BEGIN; INSERT INTO readings (run, asset, stream, boot, seq, attempt, payload)
             SELECT run, asset, stream, boot, 1, attempt, payload FROM readings",
        )
        .await
        .expect("it can be inserted");
        assets.acked(Assets::identity(0, 2)).await;

        let (network, sink) = (network(&server.site), Arc::new(Notebook::default()));
        let vantage = vantage("r1", Shows::Log, &assets.clock);
        let observer = observer(&server.site);
        let head = observer.head(network.clone(), &vantage).await.expect("it answers");
        let head = head[&ShardId::from("postgres")];
        let (watched, shown) = (observer.clone(), sink.clone());
        let watching = tokio::spawn(async move { watched.watch(network, vantage, shown).await });
        until("what was there before is shown", || async {
            (!sink.identities().is_empty()).then_some(())
        })
        .await;
        assert!(sink.has_passed() < head, "the open transaction lies before the head");
        late.batch_execute("COMMIT").await.expect("it can be committed");
        until("the head is passed", || async { (sink.has_passed() >= head).then_some(()) }).await;
        watching.abort();
        let seqs: Vec<u64> = sink.identities().iter().map(|identity| identity.seq).collect();
        assert_eq!(seqs, [0, 1, 2], "each once, in the order of their transactions");
    });
}

#[test]
fn a_server_that_was_started_anew_is_read_from_its_beginning() {
    with_server(async |mut server: Server| {
        let mut assets = Assets::new(&server.site, &json!({}));
        assets.up(0).await;
        let (before, after) = (Assets::identity(0, 0), Assets::identity(0, 1));
        assets.acked(before).await;
        let (network, sink) = (network(&server.site), Arc::new(Notebook::default()));
        let vantage = vantage("r1", Shows::Log, &assets.clock);
        let (watched, shown) = (observer(&server.site), sink.clone());
        let watching = tokio::spawn(async move { watched.watch(network, vantage, shown).await });
        let seen = |identity| sink.identities().iter().filter(|seen| **seen == identity).count();
        until("it is shown", || async { (seen(before) == 1).then_some(()) }).await;

        server.restart().await;
        assets.down(0).await;
        assets.up(0).await;
        assets.acked(after).await;
        until("the other one is shown", || async { (seen(after) == 1).then_some(()) }).await;
        watching.abort();
        let saw = sink.saw.lock().expect("no test panicked");
        let places: Vec<_> = saw.iter().filter(|seen| seen.identity == before).collect();
        assert_eq!(places.len(), 2, "its history may have been another one");
        assert_eq!(places[0].position, places[1].position, "the same place is no copy");
    });
}

#[test]
fn what_cannot_be_inserted_is_refused() {
    with_server(async |server: Server| {
        let mut assets = Assets::new(&server.site, &json!({}));
        assets.up(0).await;
        let session = client(&server).await;
        let strict = "ALTER TABLE readings ADD CONSTRAINT no_seven CHECK (seq <> 7)";
        session.batch_execute(strict).await.expect("it can be altered");
        let ticket = assets.send(Assets::identity(0, 7), 1);
        assert_eq!(assets.done(ticket).await.0, Outcome::Refused);
        assets.acked(Assets::identity(0, 8)).await;

        session.batch_execute("DROP TABLE readings").await.expect("it can be dropped");
        assets.connect(1_000_001);
        let why = assets.down(1_000_001).await;
        assert!(why.contains("prepared"), "{why}");
    });
}
