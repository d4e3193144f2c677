//! The driver: HTTP/1.1, one connection per asset.

use std::{borrow::Cow, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use hyper::StatusCode;
use model::{Micros, NodeId, NodeIndex, Outcome};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, Connect, ConnectRequest, Disconnect, Driver, Lane, Network, Session,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    client::{self, Client, ClientError, Gone},
    cluster::connect,
};

/// Posts readings to the embedded service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceDriver {
    /// A try to connect ends after this long.
    connect_timeout: Within<Time, MS, HOUR>,
}

impl Default for ReferenceDriver {
    fn default() -> Self {
        Self { connect_timeout: Within::given(Time(Duration::from_secs(1))) }
    }
}

impl ReferenceDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: ReferenceDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "One HTTP/1.1 connection per asset, from the asset's own address, to a node of the region it wants, the next one there after \
             each try. One request at a time on it: a reading waits for the answer to the one before. No retry, no balancing, no \
             reconnect by itself, and no redirect is followed. A try to connect ends after {:?}. Acked is 200; refused is an answer that \
             says so; anything else, and a connection that ends, is unknown.",
            self.params.connect_timeout.0
        )
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let connector = Connector {
            nodes: Rc::new(self.site.topology.indices()),
            site: self.site.clone(),
            network,
            clock: clock.clone(),
            connect_timeout: self.params.connect_timeout.0,
        };
        Box::new(SessionLane::new(connector, clock))
    }
}

struct Connector {
    site: Site,
    network: Arc<dyn Network>,
    clock: Clock,
    connect_timeout: Duration,
    nodes: Rc<BTreeMap<NodeId, NodeIndex>>,
}

impl Connect for Connector {
    type Session = Line;

    async fn connect(&self, request: &ConnectRequest) -> Result<Line, &'static str> {
        let (node, name) = self
            .site
            .nth_in(&request.region, request.turn())
            .ok_or("the region has no node of the service")?;
        let connecting = connect(&*self.network, &request.from, name);
        let client = match timeout(self.connect_timeout, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(ClientError::Connect(_))) => return Err("the node cannot be reached"),
            Ok(Err(ClientError::Exchange(_) | ClientError::Answer(_))) => {
                return Err("the node does not speak HTTP");
            }
            Err(_) => return Err("the node did not answer within `connect_timeout`"),
        };
        Ok(Line {
            gone: client.gone(),
            client: Mutex::new(Some(client)),
            node,
            nodes: self.nodes.clone(),
            clock: self.clock.clone(),
            network: self.network.clone(),
        })
    }
}

/// One asset's connection.
struct Line {
    node: NodeIndex,
    nodes: Rc<BTreeMap<NodeId, NodeIndex>>,
    /// None once the asset has left. Requests take turns in the order in which they came.
    client: Mutex<Option<Client>>,
    gone: Gone,
    clock: Clock,
    network: Arc<dyn Network>,
}

impl Session for Line {
    fn node(&self) -> NodeIndex {
        self.node
    }

    async fn send(&self, attempt: Attempt) -> Answer {
        let mut client = self.client.lock().await;
        let Some(client) = client.as_mut() else { return Answer::refused(self.clock.now()) };
        let answer = client.post("/v1/readings", attempt.payload).await;
        let at = self.clock.now();
        match answer {
            Ok(answer) => self.verdict(&answer, at),
            Err(error) => {
                self.network.failed(&error);
                Answer::unknown(at)
            }
        }
    }

    async fn closed(&self) -> &'static str {
        self.gone.clone().wait().await;
        "the connection ended"
    }

    fn disconnect(&self, how: Disconnect) {
        // Requests under way were dropped before, so nobody holds it.
        if let Ok(mut client) = self.client.try_lock()
            && let Some(client) = client.take()
        {
            client.disconnect(how);
        }
    }
}

/// The part of a node's answer that a driver reads.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    position: Option<u64>,
    #[serde(borrow)]
    outcome: Option<Cow<'a, str>>,
}

impl Line {
    fn verdict(&self, answer: &client::Answer, at: Micros) -> Answer {
        let said: Said<'_> = serde_json::from_slice(answer.body()).unwrap_or_default();
        if answer.status() == StatusCode::OK {
            let by = said.node.and_then(|name| self.nodes.get(&*name).copied());
            return Answer { outcome: Outcome::Acked, at, by, position: said.position };
        }
        match said.outcome.as_deref() {
            Some("refused") => Answer::refused(at),
            _ => Answer::unknown(at),
        }
    }
}
