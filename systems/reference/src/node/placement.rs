//! First leaders, and leaders that go home. A shard is founded by its home, which thereby leads it. When another node leads it later
//! and the home has been back for a while, the home asks that leader to step aside and stands for election. openraft 0.9 has no
//! leadership transfer; this is what stands in for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::{Instant, interval, sleep, timeout};

use super::{
    journal::unix_us,
    server::Node,
    shard::Shard,
    wire::{Answer, Request},
};

const LOOK: Duration = Duration::from_millis(250);

/// A line of `events.jsonl`.
#[derive(Debug, Serialize)]
struct WentHome<'a> {
    event: &'static str,
    shard: u16,
    from: Option<&'a str>,
    node: &'a str,
    at_unix_us: u64,
}

/// Founds the shards whose home this node is, once every member is there. A shard that has a log is left alone.
pub(crate) async fn found(node: Arc<Node>) {
    for link in node.links.values() {
        link.wait_up().await;
    }
    for shard in node.shards.iter().filter(|shard| shard.home() == node.me) {
        let members: BTreeMap<_, _> =
            shard.line.iter().map(|member| (*member, openraft::EmptyNode::new())).collect();
        // The only error that can come is that it was founded before.
        let _ = shard.raft.initialize(members).await;
    }
}

/// Takes shards home for as long as the node runs.
pub(crate) async fn keep(node: Arc<Node>) {
    let mut abroad = BTreeMap::<u16, Instant>::new();
    let mut look = interval(LOOK);
    loop {
        look.tick().await;
        for shard in node.shards.iter().filter(|shard| shard.home() == node.me) {
            match shard.leader() {
                Some(leader)
                    if leader != node.me
                        && node.links.get(&leader).is_some_and(|link| link.is_up()) =>
                {
                    let since = *abroad.entry(shard.number).or_insert_with(Instant::now);
                    if since.elapsed() >= node.args.home_after() {
                        abroad.remove(&shard.number);
                        take_over(&node, shard, leader).await;
                    }
                }
                _ => drop(abroad.remove(&shard.number)),
            }
        }
    }
}

async fn take_over(node: &Node, shard: &Shard, leader: u64) {
    let Some(link) = node.links.get(&leader) else { return };
    let request = Request::StepAside { shard: shard.number, to: node.me };
    let answer = timeout(3 * LOOK + Duration::from_secs(2), link.ask(request)).await;
    if !matches!(answer, Ok(Ok(Answer::SteppedAside(true)))) {
        // Tried again after the same while.
        return;
    }
    let from = node.members.name(leader);
    let event = WentHome {
        event: "went_home",
        shard: shard.number,
        from,
        node: &node.args.id,
        at_unix_us: unix_us(),
    };
    node.events.write(&event);
    // An error means that the node is going down.
    let _ = shard.raft.trigger().elect().await;
    // One shard after the other: a vote has to be stored by two nodes.
    sleep(LOOK).await;
}
