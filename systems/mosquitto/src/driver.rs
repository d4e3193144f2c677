//! The driver: one connection per (cell, broker), shared by the assets behind it.

use std::sync::Arc;

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use model::{NodeIndex, Outcome};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Driver, Lane, Lines, Network, Opened, Origin, Protocol,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};

use crate::{
    PING_EVERY, PORT, topics, verdict,
    wire::{self, Client, Wire},
};

/// Publishes readings over MQTT 3.1.1 with QoS 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MqttDriver {
    /// A try to connect ends after this long. It succeeds when the broker has accepted the session.
    connect_timeout: Within<Time, MS, HOUR>,
}

impl Default for MqttDriver {
    fn default() -> Self {
        Self { connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))) }
    }
}

impl MqttDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: MqttDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "One connection per cell and broker, shared by the cell's assets, with a clean session; made from the address of the asset that \
             asked first. An asset is pinned to one broker of the region it wants, the next one there after each try. No retry, no reconnect by \
             itself, nothing is sent again on a later connection (clients of MQTT do). A try to connect ends after {:?} and succeeds when the \
             broker has accepted the session. Pings every {PING_EVERY:?}, given up after two without a byte. Each attempt is one PUBLISH with \
             QoS 1, without the DUP mark. Acked is its PUBACK: the broker has it in memory, for whoever has subscribed. Refused is what never \
             left; anything else is unknown.",
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

/// A connection, and the broker at its other side.
#[derive(Clone)]
struct Broker {
    wire: Wire,
    node: NodeIndex,
}

impl Protocol for Publishing {
    type Wire = Broker;

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
    ) -> Result<Opened<Broker>, &'static str> {
        let (node, name) = self.site.node(line).ok_or("the service has no such broker")?;
        let to = network.address(name, PORT);
        let opening = wire::open(&*network, &from, to, Client::default());
        let opened = opening.await.map_err(|_| "the broker cannot be reached")?;
        let mut task = opened.task;
        let ended = Box::pin(async move {
            let end = task.join_next().await;
            end.and_then(Result::ok).unwrap_or("the connection was given up")
        });
        Ok(Opened { wire: Broker { wire: opened.wire, node }, node, ended })
    }

    async fn send(&self, Broker { wire, node }: &Broker, attempt: Attempt) -> Answer {
        let topic = topics::of_reading(self.site.run, &attempt.identity);
        match wire.publish(topic, attempt.payload).await {
            Ok(read) => {
                let at = self.clock.stamp(read);
                Answer { outcome: Outcome::Acked, at, by: Some(*node), position: None }
            }
            Err(error) => {
                let outcome = verdict::of_failure(error);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}
