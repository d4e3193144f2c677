//! The way of a reading from the front door of any node to the log of its shard.

use std::time::Duration;

use bytes::Bytes;
use model::envelope::Envelope;
use tokio::time::{Instant, timeout_at};

use super::{
    link::Broken,
    server::Node,
    shard::Shard,
    wire::{Answer, Refusal, Request},
};

/// Where a reading went, or where it should go.
#[derive(Debug)]
pub(crate) enum Accepted {
    Written {
        position: u64,
        by: u64,
    },
    /// Another node leads and this one only redirects.
    Elsewhere {
        leader: u64,
    },
}

impl Node {
    /// Takes a reading whose envelope was checked. Tried again only as long as it definitely was not written.
    pub(crate) async fn accept(
        &self,
        shard: &Shard,
        envelope: &Envelope,
        payload: Bytes,
        forward: bool,
    ) -> Result<Accepted, Refusal> {
        if self.full() {
            return Err(Refusal::Full);
        }
        let now = Instant::now();
        let (give_up, end) = (now + self.args.leader_wait(), now + self.args.request_timeout());
        loop {
            let leader = shard.leader();
            let result = match leader {
                Some(_) if self.defects.loses(envelope.identity, shard.number) => {
                    let position = shard.view.length().saturating_sub(1);
                    return Ok(Accepted::Written { position, by: self.me });
                }
                Some(leader) if leader == self.me => {
                    timeout_at(end, shard.append(envelope.identity, payload.clone())).await
                }
                Some(leader) if !forward => return Ok(Accepted::Elsewhere { leader }),
                Some(leader) => {
                    timeout_at(end, self.pass_on(leader, shard.number, payload.clone())).await
                }
                None => Ok(Err(Refusal::NoLeader)),
            };
            match result.unwrap_or(Err(Refusal::Unknown)) {
                Ok(position) => {
                    return Ok(Accepted::Written { position, by: leader.unwrap_or(self.me) });
                }
                Err(Refusal::NotLeader | Refusal::NoLeader) if Instant::now() < give_up => {
                    let left = give_up - Instant::now();
                    shard.leader_changed(leader, left.min(Duration::from_millis(50))).await;
                }
                Err(Refusal::NotLeader) => return Err(Refusal::NoLeader),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    async fn pass_on(&self, leader: u64, shard: u16, payload: Bytes) -> Result<u64, Refusal> {
        let link = self.links.get(&leader).ok_or(Refusal::NoLeader)?;
        match link.ask(Request::Propose { shard, payload }).await {
            Ok(Answer::Proposed(result)) => result,
            Ok(_) | Err(Broken::Lost) => Err(Refusal::Unknown),
            Err(Broken::Down) => Err(Refusal::NoLeader),
        }
    }

    /// A peer passes a reading on to this node, which it believes to lead.
    pub(crate) async fn propose(&self, shard: u16, payload: Bytes) -> Result<u64, Refusal> {
        let shard = self.shard(shard).ok_or(Refusal::NoLeader)?;
        let envelope = Envelope::read(&payload).map_err(|_| Refusal::NoLeader)?;
        if self.full() {
            return Err(Refusal::Full);
        }
        self.defects.unless_stalled(Some(envelope.identity)).await;
        shard.append(envelope.identity, payload).await
    }
}
