//! One member: what is put is acked, shown and read back, and what cannot be put is told apart.

use std::collections::BTreeSet;

use model::{Identity, NodeIndex, Outcome, ShardId};
use seams::{Disconnect, Progress};

use crate::{
    assets::{Assets, read_back, vantage, watch},
    lab::{Cluster, rehearse},
};

#[test]
fn what_is_acked_is_shown_where_the_ack_said() {
    rehearse(async {
        let cluster = Cluster::start(1).await;
        let node = cluster.nodes().remove(0);
        assert!(
            cluster
                .service
                .version(&*cluster.network)
                .await
                .expect("it answers")
                .starts_with("etcd 3.")
        );
        assert!(cluster.service.redundant(&*cluster.network).await.expect("it answers"));
        assert_eq!(cluster.leader().await.expect("a single member leads").0, node);

        let mut assets = Assets::new(&cluster);
        let (sink, watching) = watch(&cluster, &node, &assets.clock);
        assets.up(&cluster, 0, &node).await;
        assets.up(&cluster, 1, &node).await;

        let mut acked = assets.acked(0, 0..50).await;
        acked.extend(assets.acked(1, 0..50).await);
        let positions: BTreeSet<u64> = acked.iter().map(|place| place.1).collect();
        assert_eq!(positions.len(), acked.len(), "each put has a revision of its own");
        let last = *positions.last().expect("some were acked");

        sink.passed(last).await;
        watching.abort();
        assert_eq!(sink.places(), acked);
        assert!(sink.saw.lock().expect("no test panicked").iter().all(|sighting| sighting.intact));

        let of_record = vantage(&cluster, &node, &assets.clock);
        let head =
            cluster.observer.head(cluster.network.clone(), &of_record).await.expect("it answers");
        assert_eq!(head[&ShardId::from("etcd")], last);
        let (found, end) = read_back(&cluster, &node, &assets.clock).await;
        assert_eq!(found, acked);
        assert_eq!(end[&ShardId::from("etcd")], last);
    });
}

#[test]
fn an_ack_is_stamped_between_its_sending_and_its_telling() {
    rehearse(async {
        let cluster = Cluster::start(1).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &node).await;
        let ticket = assets.send(Assets::identity(0, 0), 1);
        let done = assets.done(ticket).await;
        assert_eq!((done.outcome, done.by), (Outcome::Acked, Some(NodeIndex(0))));
        let sent = assets.said.iter().find_map(|said| match said {
            Progress::Sent { ticket: of, at } if *of == ticket => Some(*at),
            _ => None,
        });
        assert!(sent.expect("it was sent") < done.at && done.at <= assets.clock.now());
    });
}

#[test]
fn duplicates_and_corruption_can_be_seen() {
    rehearse(async {
        let cluster = Cluster::start(1).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &node).await;

        // The asset sends one reading twice; the system (played by a second put of one attempt) stores another one twice.
        let (again, twice, broken) =
            (Assets::identity(0, 0), Assets::identity(0, 1), Assets::identity(0, 2));
        let mut places = vec![];
        for (identity, attempt) in [(again, 1), (again, 2), (twice, 1), (twice, 1)] {
            let ticket = assets.send(identity, attempt);
            places.push((identity, assets.done(ticket).await.position.expect("acked")));
        }
        let mut payload = assets.payload(broken);
        payload[80] ^= 1;
        let ticket = assets.send_bytes(broken, 1, &payload);
        places.push((broken, assets.done(ticket).await.position.expect("acked")));

        let (sink, watching) = watch(&cluster, &node, &assets.clock);
        sink.passed(places[4].1).await;
        watching.abort();
        assert_eq!(sink.places(), places, "a watch begins with the run, not with itself");
        let torn: Vec<Identity> = {
            let saw = sink.saw.lock().expect("no test panicked");
            saw.iter()
                .filter(|sighting| !sighting.intact)
                .map(|sighting| sighting.identity)
                .collect()
        };
        assert_eq!(torn, [broken]);
        assert_eq!(read_back(&cluster, &node, &assets.clock).await.0, places);
    });
}

#[test]
fn a_read_back_turns_its_pages() {
    rehearse(async {
        let cluster = Cluster::start(1).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        assets.up(&cluster, 0, &node).await;
        let tickets: Vec<u32> =
            (0..2_100).map(|seq| assets.send(Assets::identity(0, seq), 1)).collect();
        for ticket in &tickets {
            assert_eq!(assets.done(*ticket).await.outcome, Outcome::Acked);
        }
        let (found, _) = read_back(&cluster, &node, &assets.clock).await;
        let seqs: BTreeSet<u64> = found.iter().map(|(identity, _)| identity.seq).collect();
        assert_eq!((found.len(), seqs.len()), (2_100, 2_100));
    });
}

#[test]
fn nothing_is_sent_without_a_connection() {
    rehearse(async {
        let cluster = Cluster::start(1).await;
        let node = cluster.nodes().remove(0);
        let mut assets = Assets::new(&cluster);
        let ticket = assets.send(Assets::identity(0, 0), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Refused);

        assets.up(&cluster, 0, &node).await;
        assets.disconnect(0, Disconnect::Close);
        let ticket = assets.send(Assets::identity(0, 1), 1);
        assert_eq!(assets.done(ticket).await.outcome, Outcome::Refused);
        assert_eq!(read_back(&cluster, &node, &assets.clock).await.0, []);
    });
}
