//! Three members: one dies, one stands still, and what was acked is still there.

use std::{collections::BTreeSet, sync::Arc};

use model::{Identity, NodeId, Outcome};
use seams::{ConnId, Progress};

use crate::{
    assets::{Assets, Notebook, read_back, vantage, watch},
    lab::{Cluster, rehearse, until},
};

#[test]
fn the_leader_dies_and_nothing_acked_is_lost() {
    rehearse(async {
        let mut cluster = Cluster::start(3).await;
        let (old, term) = until("a leader", || cluster.leader()).await;
        let others: Vec<NodeId> = cluster.nodes().into_iter().filter(|node| *node != old).collect();
        let mut assets = Assets::new(&cluster);
        let (beside_old, watching_old) = watch(&cluster, &old, &assets.clock);
        let (beside_other, watching_other) = watch(&cluster, &others[0], &assets.clock);
        let mut acked: Vec<(Identity, u64)> = vec![];
        for (asset, node) in cluster.nodes().iter().enumerate() {
            assets.up(&cluster, asset as u32, node).await;
            acked.extend(assets.acked(asset as u32, 0..20).await);
        }
        let lost =
            cluster.nodes().iter().position(|node| *node == old).expect("it is one of them") as u32;
        beside_old.passed(acked[59].1).await;

        cluster.kill(&old);
        assets.down(lost).await;
        let (new, later) = until("another leader in a later term", || async {
            cluster.leader().await.filter(|(node, now)| *node != old && *now > term)
        })
        .await;
        assert!(others.contains(&new) && later > term);
        assert!(
            !cluster.service.redundant(&*cluster.network).await.expect("it answers"),
            "a copy is gone"
        );

        // The asset moves to another region; who sat there all along goes on.
        assets.up(&cluster, lost, &others[0]).await;
        for asset in 0..3 {
            acked.extend(assets.acked(asset, 20..40).await);
        }
        for node in &others {
            assert_eq!(places(&cluster, node, &assets).await, acked, "read from {node}");
        }

        cluster.run(&old);
        cluster.ready().await;
        assert!(cluster.service.redundant(&*cluster.network).await.expect("it answers"));
        assert_eq!(places(&cluster, &old, &assets).await, acked, "read from {old}, which was away");

        // The watch on the dead member was blind for a while and goes on where it was; the other one noticed nothing.
        let last = acked.last().expect("some were acked").1;
        for (sink, watching, blinks) in
            [(beside_old, watching_old, 2..1000), (beside_other, watching_other, 1..2)]
        {
            sink.passed(last).await;
            watching.abort();
            assert_eq!(sink.places(), acked);
            assert!(blinks.contains(&sink.blinks()), "blind {} times", sink.blinks());
        }
    });
}

#[test]
fn what_is_under_way_when_the_connection_breaks_is_unknown() {
    rehearse(async {
        let mut cluster = Cluster::start(3).await;
        let (leader, _) = until("a leader", || cluster.leader()).await;
        let others: Vec<NodeId> =
            cluster.nodes().into_iter().filter(|node| *node != leader).collect();
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &leader).await;
        assets.acked(0, 0..5).await;

        // Without its followers the leader cannot commit, so the put hangs until the leader dies.
        for node in &others {
            cluster.stop(node).await;
        }
        let hanging = assets.send(Assets::identity(0, 5), 1);
        // The leader answers a later question, so it has the put.
        cluster.service.believes(&*cluster.network, &leader).await.expect("the leader answers");
        cluster.kill(&leader);
        assets.down(0).await;
        let done = assets
            .said
            .iter()
            .position(|said| matches!(said, Progress::Done { ticket, outcome: Outcome::Unknown, .. } if *ticket == hanging));
        let down = assets
            .said
            .iter()
            .position(|said| matches!(said, Progress::Down { conn: ConnId(0), .. }));
        assert!(
            done.expect("it is answered") < down.expect("it is told"),
            "answers come before the news"
        );

        // Nobody made another connection, and nobody queues for one.
        let refused = assets.send(Assets::identity(0, 7), 1);
        assert_eq!(assets.done(refused).await.outcome, Outcome::Refused);
        for node in &others {
            cluster.go_on(node);
        }
    });
}

#[test]
fn a_member_that_stands_still_is_noticed() {
    rehearse(async {
        let cluster = Cluster::start(3).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &node).await;
        cluster.stop(&node).await;

        // Its kernel still accepts connections.
        let other_cell = cluster.nodes().remove(1);
        assets.connect_from(&cluster, 1, &other_cell, &node);
        let why = assets.down(1).await;
        assert!(why.contains("did not answer"), "{why}");

        // Its old connection is given up when pings are not answered.
        let ticket = assets.send(Assets::identity(0, 0), 1);
        let why = assets.down(0).await;
        assert!(why.contains("keep-alive"), "{why}");
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Unknown);
        assert!(
            cluster.service.believes(&*cluster.network, &node).await.is_err(),
            "it does not say what it believes"
        );
        cluster.go_on(&node);
    });
}

#[test]
fn a_member_without_a_leader_refuses() {
    rehearse(async {
        let mut cluster = Cluster::start(3).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &node).await;
        for other in cluster.nodes().into_iter().skip(1) {
            cluster.kill(&other);
        }
        until("the last member knows no leader", || async {
            let trouble = cluster.service.ready(&*cluster.network).await.expect_err("it is alone");
            trouble.to_string().contains("knows no leader").then_some(())
        })
        .await;
        let ticket = assets.send(Assets::identity(0, 0), 1);
        let done = assets.done(ticket).await;
        assert_eq!(done.outcome, Outcome::Refused, "{done:?}");

        // It does not pass its own store off as the truth.
        let (of_record, sink) =
            (vantage(&cluster, &node, &assets.clock), Arc::new(Notebook::default()));
        assert!(cluster.observer.head(cluster.network.clone(), &of_record).await.is_err());
        assert!(
            cluster
                .observer
                .read_back(cluster.network.clone(), &of_record, sink.clone())
                .await
                .is_err()
        );
        assert_eq!(sink.places(), []);
    });
}

/// What a member holds, which must not be anything twice.
async fn places(cluster: &Cluster, node: &NodeId, assets: &Assets) -> Vec<(Identity, u64)> {
    let (found, _) = read_back(cluster, node, &assets.clock).await;
    let once: BTreeSet<&Identity> = found.iter().map(|place| &place.0).collect();
    assert_eq!(once.len(), found.len(), "nothing is there twice");
    found
}
