//! Looks at current values every so often, all shards over one connection, and shows what changed since the look before.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{Micros, NodeId};
use seams::{Network, SightingSink, SystemError, Vantage};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{CALL_TIMEOUT, PAUSE, READ_TIMEOUT, open, show, sight::Sight};
use crate::{
    client::{self, ClientError},
    cluster::shard_id,
};

/// It never asks more often: a loop without a wait would be a load of its own.
const LOOK_MIN: Duration = Duration::from_millis(1);

struct Poll {
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    sight: Arc<Sight>,
    every: Duration,
    /// Unique among the observers of a run: a node remembers by it what was shown to whom.
    name: String,
    heard: Micros,
    /// What to ask each node with, shard by shard.
    cursors: BTreeMap<NodeId, Vec<String>>,
}

pub(super) async fn watch(
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    nodes: Vec<NodeId>,
    every: Duration,
) -> SystemError {
    let sight = Sight::new(vantage.clock.clone(), sink.clone());
    let name = format!(
        "{}-{}",
        vantage.cell.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        vantage.origin.host
    );
    let heard = vantage.clock.now();
    let mut poll =
        Poll { network, vantage, sink, sight, every, name, heard, cursors: BTreeMap::new() };
    loop {
        for node in &nodes {
            // Whatever ended it, the answer is to connect again.
            let _ = poll.look(node).await;
            poll.sight.lost(0, poll.heard);
            sleep(PAUSE).await;
        }
    }
}

impl Poll {
    /// One connection, from the try to make it to its end. Its first look is linearizable: a node that came back may still be behind
    /// what it has shown, which is no fault of a local read. After that its values only move on.
    async fn look(&mut self, node: &NodeId) -> Result<(), ClientError> {
        let silent = || ClientError::Answer("no answer in time".into());
        let opening = open(&*self.network, &self.vantage, node);
        let (mut client, shards) = timeout(CALL_TIMEOUT, opening).await.map_err(|_| silent())??;
        let cursors = self
            .cursors
            .entry(node.clone())
            .or_insert_with(|| vec![String::from("0.0"); shards.into()]);
        let mut how = "linearizable";
        let mut every = interval(self.every.max(LOOK_MIN));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            for (shard, cursor) in (0..).zip(cursors.iter_mut()) {
                let path = format!(
                    "/v1/current?shard={shard}&since={cursor}&observer={}&read={how}",
                    self.name
                );
                let answer =
                    timeout(READ_TIMEOUT, client.get(&path)).await.map_err(|_| silent())??;
                self.heard = self.vantage.clock.now();
                let values = client::readings(&answer)?;
                cursor.replace_range(.., client::header_text(&answer, "wetdress-cursor")?);
                values.iter().for_each(|(position, payload)| {
                    show(*position, payload, self.heard, &*self.sink)
                });
                let end = cursor.split_once('.').and_then(|(end, _)| end.parse::<u64>().ok());
                if let Some(last) = end.and_then(|end| end.checked_sub(1)) {
                    self.sink.passed(&shard_id(shard), last);
                }
            }
            how = "local";
            self.sight.found(0);
        }
    }
}
