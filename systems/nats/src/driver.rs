//! The driver: one connection per (cell, server), shared by the assets behind it.

use std::sync::Arc;

use bytes::Bytes;
use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use model::{Identity, NodeIndex};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Driver, Lane, Lines, Network, Opened, Origin, Protocol,
    SessionLane, Site,
    secure::{Access, Credentials, cause},
};
use serde::{Deserialize, Serialize};

use crate::{
    CLIENT_PORT, PING_EVERY, streams, verdict,
    wire::{self, Wire},
};

/// Publishes readings to JetStream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatsDriver {
    /// A try to connect ends after this long. It succeeds when the server has answered a ping.
    connect_timeout: Within<Time, MS, HOUR>,
    /// Which `Nats-Msg-Id` a message carries; a stream drops a message whose id it has seen within its window (two minutes).
    message_id: MessageId,
    /// Who publishes, and whom it believes.
    credentials: Credentials,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MessageId {
    /// None: a reading that is sent again is stored again.
    #[default]
    None,
    /// One per attempt: only what the system itself repeats is dropped.
    Attempt,
    /// One per reading: what an asset sends again is dropped too.
    Reading,
}

impl Default for NatsDriver {
    fn default() -> Self {
        Self {
            connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))),
            message_id: MessageId::default(),
            credentials: Credentials::default(),
        }
    }
}

impl NatsDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: NatsDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        let id = match self.params.message_id {
            MessageId::None => "no message id",
            MessageId::Attempt => "a message id per attempt",
            MessageId::Reading => {
                "a message id per reading, so that the stream drops what is sent again within two minutes"
            }
        };
        format!(
            "One connection per cell and server, shared by the cell's assets; made from the address of the asset that asked first. An asset \
             is pinned to one server of the region it wants, the next one there after each try: a server that is cut off from the others is \
             left only when requests fail. No retry, no reconnect by itself, nothing is kept for a later connection. A try to connect ends \
             after {:?} and succeeds when the server has answered a ping. Pings every {PING_EVERY:?}, given up after two without a byte. Each \
             attempt is one publish with {id} and a reply subject of its own. Acked is JetStream's answer with a sequence; refused is \"no \
             responders\" and what a leader refuses before it proposes; anything else is unknown.",
            self.params.connect_timeout.0
        )
    }

    /// One per cell and server; a fleet has a cell in each region at the most.
    fn connections(&self, asked: u32) -> u64 {
        let lines = self.site.topology.regions.len() * self.site.nodes().count();
        u64::from(asked).min(lines as u64)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let publishing = Publishing {
            message_id: self.params.message_id,
            access: self.site.access(&self.params.credentials),
            site: self.site.clone(),
            clock: clock.clone(),
        };
        let lines = Lines::new(publishing, self.params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}

struct Publishing {
    message_id: MessageId,
    access: Access,
    site: Site,
    clock: Clock,
}

/// A connection, and the server at its other side.
#[derive(Clone)]
struct Server {
    wire: Wire,
    node: NodeIndex,
}

impl Protocol for Publishing {
    type Wire = Server;

    /// An asset is pinned to the next server of the region at each attempt.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        let server = self.site.nth_in(&request.region, request.turn());
        server.map(|(node, _)| u32::from(node.0)).ok_or("the region has no server of the service")
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        line: u32,
    ) -> Result<Opened<Server>, &'static str> {
        let (node, name) = self.site.node(line).ok_or("the service has no such server")?;
        let opening =
            wire::open(&*network, &from, network.address(name, CLIENT_PORT), &self.access);
        let (wire, driving) = opening
            .await
            .map_err(|error| cause(&error).unwrap_or("the server cannot be reached"))?;
        let ended = Box::pin(async { driving.await.unwrap_or("the connection was given up") });
        Ok(Opened { wire: Server { wire, node }, node, ended })
    }

    async fn send(&self, Server { wire, node }: &Server, attempt: Attempt) -> Answer {
        let subject = streams::subject_of(self.site.run, &attempt.identity);
        let headers = self.message_id.headers(&attempt);
        match wire.request(subject, headers, attempt.payload).await {
            Ok((message, read)) => {
                let (outcome, position) = verdict::of_answer(&message);
                let at = self.clock.stamp(read);
                Answer { outcome, at, by: Some(*node), position }
            }
            Err(error) => {
                let outcome = verdict::of_failure(error);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}

impl MessageId {
    fn headers(self, attempt: &Attempt) -> Bytes {
        let Identity { asset, stream, boot, seq } = attempt.identity;
        let id = match self {
            Self::None => return Bytes::new(),
            Self::Attempt => format!("{asset}/{stream}/{boot}/{seq}/{}", attempt.number),
            Self::Reading => format!("{asset}/{stream}/{boot}/{seq}"),
        };
        format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n").into()
    }
}
