//! How assets send: one connection each, over which nothing is sent yet.

use std::{cell::RefCell, future::pending, sync::Arc};

use model::NodeIndex;
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, Connect, ConnectRequest, Disconnect, Driver, Network, Lane, Session,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::CLIENT_PORT;

/// What a scenario may say of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TYPEDriver {}

impl TYPEDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        let Self {} = self;
        Arc::new(Sender { site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        "Say here what the client does by itself: connections, rotation, keepalive.".to_owned()
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let connector = Connector { site: self.site.clone(), network, clock: clock.clone() };
        Box::new(SessionLane::new(connector, clock))
    }
}

struct Connector {
    site: Site,
    network: Arc<dyn Network>,
    clock: Clock,
}

impl Connect for Connector {
    type Session = Line;

    async fn connect(&self, request: &ConnectRequest) -> Result<Line, &'static str> {
        let node = self.site.nth_in(&request.region, request.turn());
        let (node, name) = node.ok_or("the region has no node of the service")?;
        let to = self.network.address(name, CLIENT_PORT);
        let connected = self.network.tcp(&request.from, to).await;
        let stream = connected.map_err(|_| "the node cannot be reached")?;
        Ok(Line { node, stream: RefCell::new(Some(stream)), clock: self.clock.clone() })
    }
}

/// One asset's connection.
struct Line {
    node: NodeIndex,
    /// None once the asset has left.
    stream: RefCell<Option<TcpStream>>,
    clock: Clock,
}

impl Session for Line {
    fn node(&self) -> NodeIndex {
        self.node
    }

    /// Nothing was sent, so nothing can have been done.
    async fn send(&self, _: Attempt) -> Answer {
        Answer::refused(self.clock.now())
    }

    async fn closed(&self) -> &'static str {
        pending().await
    }

    fn disconnect(&self, _: Disconnect) {
        drop(self.stream.take());
    }
}
