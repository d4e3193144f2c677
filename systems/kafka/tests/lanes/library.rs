//! The client that services use, against a real broker.

use std::sync::Arc;

use model::plan::Shows;
use serde_json::json;

use crate::{
    assets::{Assets, Notebook},
    lab::{Cluster, driver, rehearse},
};

#[test]
fn what_the_library_delivers_is_shown_at_the_offset_that_it_says() {
    rehearse(async {
        let topic = json!({"partitions": 1, "replicas": 1, "min_insync": 1});
        let cluster = Cluster::start(1, topic).await;
        let params = json!({"profile": "raw", "producers": 1, "settings": {"linger.ms": "1"}});
        let library = driver("librdkafka", params, &cluster);
        let policy = library.policy();
        for said in ["linger.ms=1", "message.send.max.retries=0", "acks=all", "by itself"] {
            assert!(policy.contains(said), "{said} in {policy}");
        }
        let mut assets = Assets::new(&*library, cluster.network.clone());
        assets.up(0).await;
        assets.up(1).await;
        let mut acked = vec![];
        for seq in 0..20 {
            acked.push(assets.acked(0, seq).await);
            acked.push(assets.acked(1, seq).await);
        }
        let node = cluster.nodes().remove(0);
        let vantage = cluster.vantage(&node, Shows::Log, &assets.clock);
        let sink = Arc::new(Notebook::default());
        let read = cluster.observer.read_back(cluster.network.clone(), &vantage, sink.clone());
        read.await.expect("the broker answers");
        acked.sort_unstable();
        assert_eq!(sink.places(), acked);
    });
}
