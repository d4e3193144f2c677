//! Follows the log of every shard by long polls, each shard over a connection of its own, so that one cannot hold up the others.

use std::{sync::Arc, time::Duration};

use model::{Micros, NodeId};
use seams::{Network, SightingSink, SystemError, Vantage};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{CALL_TIMEOUT, PAUSE, open, show, sight::Sight};
use crate::{
    client::{self, ClientError},
    cluster::{connect, shard_id},
};

/// A node answers a long poll after this long at the latest.
const WAIT: Duration = Duration::from_secs(1);

struct Tail {
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    sight: Arc<Sight>,
    shard: u16,
    /// The first position that has not been shown.
    next: u64,
    /// When the node last answered.
    heard: Micros,
}

pub(super) async fn watch(
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    nodes: Vec<NodeId>,
) -> SystemError {
    let sight = Sight::new(vantage.clock.clone(), sink.clone());
    let began = vantage.clock.now();
    let shards = how_many(&*network, &vantage, &nodes, &sight, began).await;
    let mut tails = JoinSet::new();
    for shard in 0..shards {
        let (network, vantage, sink, sight) =
            (network.clone(), vantage.clone(), sink.clone(), sight.clone());
        let mut tail = Tail { network, vantage, sink, sight, shard, next: 0, heard: began };
        let nodes = nodes.clone();
        tails.spawn(async move {
            for node in nodes.iter().cycle() {
                // Whatever ended it, the answer is to connect again.
                let _ = tail.follow(node).await;
                tail.sight.lost(tail.shard, tail.heard);
                sleep(PAUSE).await;
            }
        });
    }
    while tails.join_next().await.is_some_and(|ended| ended.is_ok()) {}
    SystemError::Answer { doing: "follow a log".into(), why: "a task ended".into() }
}

/// Asked until somebody answers.
async fn how_many(
    network: &dyn Network,
    vantage: &Vantage,
    nodes: &[NodeId],
    sight: &Sight,
    began: Micros,
) -> u16 {
    loop {
        for node in nodes {
            if let Ok(Ok((_, shards))) = timeout(CALL_TIMEOUT, open(network, vantage, node)).await {
                sight.found(0);
                return shards;
            }
            sight.lost(0, began);
            sleep(PAUSE).await;
        }
    }
}

impl Tail {
    /// One connection, from the try to make it to its end.
    async fn follow(&mut self, node: &NodeId) -> Result<(), ClientError> {
        let silent = || ClientError::Answer("no answer in time".into());
        let connecting = connect(&*self.network, &self.vantage.origin, node);
        let mut client = timeout(CALL_TIMEOUT, connecting).await.map_err(|_| silent())??;
        loop {
            let path =
                format!("/v1/log/{}?from={}&wait={}", self.shard, self.next, WAIT.as_millis());
            let answer =
                timeout(WAIT + CALL_TIMEOUT, client.get(&path)).await.map_err(|_| silent())??;
            self.heard = self.vantage.clock.now();
            self.sight.found(self.shard);
            for (position, payload) in client::readings(&answer)? {
                show(position, &payload, self.heard, &*self.sink);
                self.next = position + 1;
            }
            if let Some(last) = self.next.checked_sub(1) {
                self.sink.passed(&shard_id(self.shard), last);
            }
        }
    }
}
