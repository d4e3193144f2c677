//! Real brokers, if they are installed: one, and three that lose their leader.

use std::sync::Arc;

use model::{Identity, NodeId, plan::Shows};
use seams::SightingSink;
use serde_json::json;

use crate::{
    assets::{Assets, Notebook},
    lab::{Cluster, rehearse},
};

/// Everything that is read back beside a node, and the last offset.
async fn read_back(
    cluster: &Cluster,
    node: &NodeId,
    shows: Shows,
    assets: &Assets,
) -> (Arc<Notebook>, Option<u64>) {
    let vantage = cluster.vantage(node, shows, &assets.clock);
    // A broker may take longer to answer than a single try waits.
    kit::answer("everything is read back", || async {
        let sink = Arc::new(Notebook::default());
        let read = cluster.observer.read_back(cluster.network.clone(), &vantage, sink.clone());
        let ends = read.await.ok()?;
        Some((sink, ends.get(&cluster.shard()).copied()))
    })
    .await
}

#[test]
fn what_is_acked_is_shown_where_the_ack_said() {
    rehearse(async {
        let topic = json!({"partitions": 1, "replicas": 1, "min_insync": 1});
        let cluster = Cluster::start(1, topic).await;
        let node = cluster.nodes().remove(0);
        let version = cluster.service.version(&*cluster.network).await.expect("it answers");
        assert!(version.contains("metadata.version"), "{version}");
        let mut assets = Assets::new(&*cluster.driver, cluster.network.clone());
        let (_, end) = read_back(&cluster, &node, Shows::Log, &assets).await;
        assert_eq!(end, None, "nothing was produced yet");

        assets.up(0).await;
        let mut acked = vec![];
        for seq in 0..20 {
            acked.push(assets.acked(0, seq).await);
        }
        // Many at once go together.
        let more: Vec<(Identity, u32)> = (20..220)
            .map(|seq| (Assets::identity(0, seq), assets.send(Assets::identity(0, seq), 1)))
            .collect();
        for (identity, ticket) in more {
            acked.push((identity, assets.done(ticket).await.position.expect("acked")));
        }
        // The asset sends one reading again, and damages another one.
        let again = assets.send(Assets::identity(0, 219), 2);
        acked.push((Assets::identity(0, 219), assets.done(again).await.position.expect("acked")));
        let torn = Assets::identity(0, 220);
        let mut payload = assets.payload(torn);
        payload[80] ^= 1;
        let ticket = assets.send_bytes(torn, 1, &payload);
        acked.push((torn, assets.done(ticket).await.position.expect("acked")));

        let (sink, end) = read_back(&cluster, &node, Shows::Log, &assets).await;
        assert_eq!((sink.places(), end), (acked.clone(), Some(221)));
        let broken = sink.saw().into_iter().filter(|seen| !seen.intact).map(|seen| seen.identity);
        assert_eq!(broken.collect::<Vec<Identity>>(), [torn]);
    });
}

#[test]
fn the_leader_dies_and_nothing_acked_by_all_is_lost() {
    rehearse(async {
        let topic = json!({"partitions": 1, "replicas": 3, "min_insync": 2, "first_leaders": "off_controller"});
        let mut cluster = Cluster::start(3, topic).await;
        let (old, term) = cluster.holder("leader").await.expect("somebody leads");
        let (controller, _) = cluster.holder("controller").await.expect("one is active");
        assert_ne!(old, controller, "the leader was kept off the controller");
        let mut assets = Assets::new(&*cluster.driver, cluster.network.clone());
        let other = cluster.nodes().into_iter().find(|node| *node != old).expect("there are three");
        let sink = Arc::new(Notebook::default());
        let watching = {
            let (observer, network) = (cluster.observer.clone(), cluster.network.clone());
            let vantage = cluster.vantage(&other, Shows::Log, &assets.clock);
            let sink: Arc<dyn SightingSink> = sink.clone();
            tokio::spawn(async move { observer.watch(network, vantage, sink).await })
        };
        assets.up(0).await;
        let mut acked = vec![];
        for seq in 0..10 {
            acked.push(assets.acked(0, seq).await);
        }

        cluster.kill(&old);
        assets.down(0).await;
        let (new, later) = kit::answer("another leader in a later epoch", || async {
            cluster.holder("leader").await.filter(|(node, now)| *node != old && *now > term)
        })
        .await;
        assert!(new != old && later > term);
        assert!(!cluster.service.redundant(&*cluster.network).await.unwrap_or(false));
        assets.up(0).await;
        for seq in 10..20 {
            acked.push(assets.acked(0, seq).await);
        }

        cluster.run(&old);
        cluster.ready().await;
        cluster.whole().await;
        let last = acked.last().expect("some were acked").1;
        for (node, shows) in [(&new, Shows::Log), (&old, Shows::Replica)] {
            let (found, end) = read_back(&cluster, node, shows, &assets).await;
            assert_eq!((found.places(), end), (acked.clone(), Some(last)), "{shows:?} at {node}");
        }
        kit::seen("the watch passes the end", || sink.has_passed(&cluster.shard(), last)).await;
        watching.abort();
        assert_eq!(sink.places(), acked, "the watch went on with the new leader");
    });
}
