//! The driver: one connection per (cell, broker), shared by the assets behind it.

use std::sync::Arc;

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Driver, Lane, Lines, Network, Opened, Origin, Protocol,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};

use crate::{
    CLIENT_PORT, HEARTBEAT,
    link::Ended,
    publisher::{self, Publisher, Unanswered},
    queues, verdict,
};

/// Publishes readings to quorum queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitDriver {
    /// A try to connect ends after this long. It succeeds when the broker has agreed to confirm publishes.
    connect_timeout: Within<Time, MS, HOUR>,
}

impl Default for RabbitDriver {
    fn default() -> Self {
        Self { connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))) }
    }
}

impl RabbitDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: RabbitDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "One connection with one channel per cell and broker, shared by the cell's assets; made from the address of the asset that asked \
             first. An asset is pinned to one broker of the region it wants, the next one there after each try: one that cannot reach a queue's \
             leader is left only when publishes fail. No retry, no recovery by itself, nothing is kept for a later connection. A try to connect \
             ends after {:?} and succeeds when the broker has agreed to confirm. Heartbeats of {HEARTBEAT:?}, given up after two without a byte. \
             Each attempt is one persistent, mandatory publish with a confirm of its own. Acked is the broker's ack; refused is what no queue \
             took; a nack, which does not say whether the queue has it, and anything else is unknown.",
            self.params.connect_timeout.0
        )
    }

    /// One per cell and broker; a fleet has a cell in each region at the most.
    fn connections(&self, asked: u32) -> u64 {
        let lines = self.site.topology.regions.len() * self.site.nodes().count();
        u64::from(asked).min(lines as u64)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let publishing = Publishing { site: self.site.clone(), clock: clock.clone() };
        let lines = Lines::new(publishing, self.params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}

struct Publishing {
    site: Site,
    clock: Clock,
}

impl Protocol for Publishing {
    type Wire = Publisher;

    /// An asset is pinned to the next broker of the region at each attempt.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        let broker = self.site.nth_in(&request.region, request.turn());
        broker.map(|(node, _)| u32::from(node.0)).ok_or("the region has no broker of the service")
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        line: u32,
    ) -> Result<Opened<Publisher>, &'static str> {
        let (node, name) = self.site.node(line).ok_or("the service has no such broker")?;
        let opening = publisher::open(&*network, &from, network.address(name, CLIENT_PORT));
        let (publisher, driving) = opening.await.map_err(|ended: Ended| ended.why())?;
        let ended = Box::pin(async { driving.await.unwrap_or("the connection was given up") });
        Ok(Opened { wire: publisher, node, ended })
    }

    /// Whoever confirms is asked to by the queue's leader, which may be another broker: the answer names none.
    async fn send(&self, publisher: &Publisher, attempt: Attempt) -> Answer {
        let queue = queues::of_asset(self.site.shards(), attempt.identity.asset);
        let said = match queue {
            Some(queue) => publisher.publish(queue.to_string(), attempt.payload).await,
            None => Err(Unanswered::NotSent),
        };
        let at = said.map_or_else(|_| self.clock.now(), |(_, read)| self.clock.stamp(read));
        let outcome = verdict::of(said.map(|(confirm, _)| confirm));
        Answer { outcome, ..Answer::unknown(at) }
    }
}
