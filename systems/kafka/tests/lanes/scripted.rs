//! One attempt is one request: what a broker swallows, repeats or refuses is never sent again by the driver itself.

use std::{future::Future, sync::atomic::Ordering};

use kafka_protocol::error::ResponseError;
use model::{NodeIndex, Outcome};
use serde_json::json;

use crate::{
    assets::Assets,
    broker::{Broker, Script, driver},
};

/// Runs a test as a sending thread would.
fn rehearse(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(test));
}

fn key(seq: u64, attempt: u16) -> String {
    format!("wd/000000000000004d/0/0/1/{seq}/{attempt}")
}

#[test]
fn an_ack_is_the_offset_of_the_one_record() {
    rehearse(async {
        let broker = Broker::start(Script::Ack).await;
        let mut assets = Assets::new(&*driver(json!({})), broker.clone());
        assert_eq!(assets.up(0).await, NodeIndex(0));
        for seq in 0..5 {
            assert_eq!(assets.acked(0, seq).await.1, seq);
        }
        assert_eq!(broker.produced(), [0, 1, 2, 3, 4].map(|seq| key(seq, 1)));
    });
}

#[test]
fn what_waits_goes_together_where_that_is_asked_for() {
    for (batch, requests) in [(1, 50), (20, 3)] {
        rehearse(async {
            let broker = Broker::start(Script::Ack).await;
            let mut assets = Assets::new(&*driver(json!({"batch": batch})), broker.clone());
            assets.up(0).await;
            let tickets: Vec<u32> =
                (0..50).map(|seq| assets.send(Assets::identity(0, seq), 1)).collect();
            for (offset, ticket) in (0..).zip(tickets) {
                let done = assets.done(ticket).await;
                assert_eq!((done.outcome, done.position), (Outcome::Acked, Some(offset)));
            }
            let produced: Vec<String> = (0..50).map(|seq| key(seq, 1)).collect();
            assert_eq!(broker.produced(), produced, "in order, each once");
            assert_eq!(broker.requests().len(), requests, "at most {batch} in a request");
        });
    }
}

#[test]
fn a_swallowed_ack_is_not_asked_for_again() {
    rehearse(async {
        let broker = Broker::start(Script::Swallow).await;
        let mut assets = Assets::new(&*driver(json!({})), broker.clone());
        assets.up(0).await;
        let swallowed = assets.send(Assets::identity(0, 0), 1);
        // Several requests are under way on one connection: the next one does not wait for the answer that never comes.
        broker_has(&broker, 1, &mut assets).await;
        broker.follow(Script::Ack);
        assets.acked(0, 1).await;
        assert_eq!(assets.answers(swallowed), [], "nothing is known of it");
        // The broker goes away: now it is known that nothing will be known.
        broker.follow(Script::HangUp);
        let last = assets.send(Assets::identity(0, 2), 1);
        assert_eq!(assets.done(last).await.outcome, Outcome::Unknown);
        assert_eq!(assets.done(swallowed).await.outcome, Outcome::Unknown);
        assert!(assets.down(0).await.contains("closed the connection"));
        // Another connection brings nothing back.
        broker.follow(Script::Ack);
        assets.up(0).await;
        assets.acked(0, 3).await;
        assert_eq!(broker.produced(), [0, 1, 2, 3].map(|seq| key(seq, 1)));
    });
}

#[test]
fn a_repeated_ack_counts_once_and_ends_the_connection() {
    rehearse(async {
        let broker = Broker::start(Script::Repeat).await;
        let mut assets = Assets::new(&*driver(json!({})), broker.clone());
        assets.up(0).await;
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Acked);
        let why = assets.down(0).await;
        assert!(why.contains("what was not asked"), "{why}");
        assert_eq!(assets.answers(ticket).len(), 1);
        assert_eq!(broker.produced(), [key(0, 1)]);
    });
}

#[test]
fn a_broker_that_does_not_lead_is_left() {
    for (acks, outcome) in [(json!("all"), Outcome::Unknown), (json!(1), Outcome::Refused)] {
        rehearse(async {
            let broker = Broker::start(Script::Refuse(ResponseError::NotLeaderOrFollower)).await;
            let mut assets = Assets::new(&*driver(json!({"acks": acks})), broker.clone());
            assets.up(0).await;
            let ticket = assets.send(Assets::identity(0, 0), 1);
            assert_eq!(assets.done(ticket).await.outcome, outcome, "acks: {acks}");
            let why = assets.down(0).await;
            assert!(why.contains("does not lead"), "{why}");
            assert_eq!(broker.produced().len(), 1, "it was not sent to anybody else");
        });
    }
}

#[test]
fn other_refusals_keep_the_connection() {
    rehearse(async {
        let broker = Broker::start(Script::Refuse(ResponseError::NotEnoughReplicas)).await;
        let mut assets = Assets::new(&*driver(json!({})), broker.clone());
        assets.up(0).await;
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Refused);
        broker.follow(Script::Refuse(ResponseError::RequestTimedOut));
        let ticket = assets.send(Assets::identity(0, 1), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Unknown);
        broker.follow(Script::Ack);
        assets.acked(0, 2).await;
    });
}

#[test]
fn a_broker_that_stands_still_is_no_connection() {
    rehearse(async {
        let broker = Broker::start(Script::Ack).await;
        broker.stands_still.store(true, Ordering::Relaxed);
        let patience = json!({"connect_timeout": "200ms"});
        let mut assets = Assets::new(&*driver(patience), broker.clone());
        assets.connect(0);
        let why = assets.down(0).await;
        assert!(why.contains("answer"), "{why}");
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Refused, "nothing has left");
        assert_eq!(broker.produced(), [""; 0]);
    });
}

/// Drives the lane until the broker has so many records.
async fn broker_has(broker: &Broker, records: usize, assets: &mut Assets) {
    kit::within("the broker has the record", async {
        while broker.produced().len() < records {
            assets.turn().await;
        }
    })
    .await;
}
