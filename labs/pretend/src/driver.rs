//! Sends readings: one connection per asset.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use model::{NodeId, NodeIndex, Outcome};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, Connect, ConnectRequest, Disconnect, Driver, Lane, Network, Session,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};

use crate::{
    client::Connection,
    lab::Memory,
    message::{Ask, Reply},
    written::Written,
};

/// Nothing to choose.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverParams {}

#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        "one connection per asset, to a node of the region it wants, the same one each time; no retry; simulated".to_owned()
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let connector = Connector {
            memory: Memory::of(&*network),
            nodes: Rc::new(self.site.topology.indices()),
            site: self.site.clone(),
            clock: clock.clone(),
        };
        Box::new(SessionLane::new(connector, clock))
    }
}

struct Connector {
    memory: Option<Memory>,
    nodes: Rc<BTreeMap<NodeId, NodeIndex>>,
    site: Site,
    clock: Clock,
}

impl Connect for Connector {
    type Session = Talk;

    async fn connect(&self, request: &ConnectRequest) -> Result<Talk, &'static str> {
        let memory =
            self.memory.as_ref().ok_or("the `pretend` system runs in the `pretend` lab only")?;
        let (node, name) = self
            .site
            .nth_in(&request.region, request.assets.start)
            .ok_or("the region has no node of the service")?;
        let connection = Connection::open(memory, request.from.clone(), name.clone()).await?;
        Ok(Talk { connection, node, nodes: self.nodes.clone(), clock: self.clock.clone() })
    }
}

struct Talk {
    connection: Connection,
    node: NodeIndex,
    nodes: Rc<BTreeMap<NodeId, NodeIndex>>,
    clock: Clock,
}

impl Session for Talk {
    fn node(&self) -> NodeIndex {
        self.node
    }

    async fn send(&self, attempt: Attempt) -> Answer {
        let Some(written) = Written::of(&attempt.payload) else {
            return Answer::refused(self.clock.now());
        };
        // The bytes are of no use to anybody from here on.
        drop(attempt.payload);
        let asset = attempt.identity.asset;
        let reply = self.connection.ask(Ask::Append { asset, written }).await;
        let at = self.clock.now();
        match reply {
            Some(Reply::Appended { by, position }) => {
                let by = self.nodes.get(&by).copied();
                Answer { outcome: Outcome::Acked, at, by, position: Some(position) }
            }
            Some(Reply::Refused) => Answer::refused(at),
            Some(Reply::Shown(_) | Reply::Heads(_)) | None => Answer::unknown(at),
        }
    }

    async fn closed(&self) -> &'static str {
        self.connection.gone().await
    }

    /// A node of this lab keeps nothing per connection: it makes no difference to it how an asset leaves.
    fn disconnect(&self, _: Disconnect) {}
}
