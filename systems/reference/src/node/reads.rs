//! Linearizable reads: how far a copy must be before it may answer.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    server::Node,
    shard::Shard,
    wire::{Answer, Refusal, Request},
};

/// Asks a quorum whether this node still leads, and says how far its log was committed then.
pub(crate) async fn index_as_leader(shard: &Shard) -> Result<Option<u64>, Refusal> {
    let (read, _) = shard.raft.get_read_log_id().await.map_err(|_| Refusal::NotLeader)?;
    Ok(read.map(|id| id.index))
}

impl Node {
    /// Resolves when this node's copy holds everything that was acknowledged before the call, or refuses after `patience`.
    pub(crate) async fn caught_up(&self, shard: &Shard, patience: Duration) -> Result<(), Refusal> {
        let reach = async {
            let index = loop {
                let leader = shard.leader();
                match self.read_index(shard, leader).await {
                    Ok(index) => break index,
                    Err(_) => shard.leader_changed(leader, Duration::from_millis(50)).await,
                }
            };
            let mut metrics = shard.raft.metrics();
            let reached =
                metrics.wait_for(|metrics| metrics.last_applied.map(|id| id.index) >= index).await;
            reached.map(|_| ()).map_err(|_| Refusal::NoLeader)
        };
        timeout(patience, reach).await.unwrap_or(Err(Refusal::NoLeader))
    }

    async fn read_index(&self, shard: &Shard, leader: Option<u64>) -> Result<Option<u64>, Refusal> {
        let leader = leader.ok_or(Refusal::NoLeader)?;
        if leader == self.me {
            return index_as_leader(shard).await;
        }
        let link = self.links.get(&leader).ok_or(Refusal::NoLeader)?;
        match link.ask(Request::ReadIndex { shard: shard.number }).await {
            Ok(Answer::ReadIndex(result)) => result,
            _ => Err(Refusal::NoLeader),
        }
    }
}
