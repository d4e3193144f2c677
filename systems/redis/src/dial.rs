//! Connections of a cell's pool, each to whoever is master, and one XADD over them.

use std::sync::Arc;

use model::{NodeId, NodeIndex, Outcome};
use seams::{Answer, Attempt, Clock, ConnectRequest, Network, Opened, Origin, Protocol};

use crate::{leader, link::Link, log, verdict};

pub(crate) struct RedisDial {
    pub(crate) nodes: Vec<(NodeIndex, NodeId)>,
    pub(crate) pool: u32,
    pub(crate) key: String,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
}

/// A connection, and the server at its other side.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    link: Link,
    node: NodeIndex,
}

impl Protocol for RedisDial {
    type Wire = Master;

    /// Neighbours share a cell's pool evenly.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        Ok(request.assets.start / request.assets.len().max(1) as u32 % self.pool)
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        _line: u32,
    ) -> Result<Opened<Master>, &'static str> {
        let found = leader::find(&network, &from, &self.nodes).await?;
        let (node, mut task) = (found.node, found.task);
        let ended = Box::pin(async move {
            let end = task.join_next().await;
            end.and_then(Result::ok).unwrap_or("the connection was given up")
        });
        Ok(Opened { wire: Master { link: found.link, node }, node, ended })
    }

    async fn send(&self, Master { link, node }: &Master, attempt: Attempt) -> Answer {
        let mut add = redis::cmd("XADD");
        add.arg(&self.key).arg("*").arg("r").arg(&attempt.payload[..]);
        match link.ask::<String>(&add).await {
            Ok(id) => {
                let at = self.clock.stamp(link.last_read());
                let position = log::position(&id);
                Answer { outcome: Outcome::Acked, at, by: Some(*node), position }
            }
            Err(error) => {
                self.network.failed(&error);
                if verdict::does_not_lead(&error) {
                    link.leave();
                }
                let outcome = verdict::of_failure(&error);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}
