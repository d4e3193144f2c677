//! The driver: HTTP/1.1, one connection per asset.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use document::units::Time;
use hyper::StatusCode;
use model::{NodeId, Outcome};
use schemars::JsonSchema;
use seams::{
    Answer, Clock, Dial, Driver, Ground, Lane, Leave, Letter, Seat, Session, SessionLane, Site,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    client::{self, Client, Gone},
    cluster::{connect, nodes_in},
};

/// Posts readings to the embedded service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceDriver {
    /// A try to connect ends after this long.
    connect_timeout: Time,
}

impl Default for ReferenceDriver {
    fn default() -> Self {
        Self { connect_timeout: Time(Duration::from_secs(1)) }
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

    fn lane(&self, ground: Arc<dyn Ground>, clock: Clock) -> Box<dyn Lane> {
        let site = self.site.clone();
        let tries = RefCell::default();
        let dialler = Dialler {
            site,
            ground,
            clock: clock.clone(),
            connect_timeout: self.params.connect_timeout.0,
            tries,
        };
        Box::new(SessionLane::new(dialler, clock))
    }
}

struct Dialler {
    site: Site,
    ground: Arc<dyn Ground>,
    clock: Clock,
    connect_timeout: Duration,
    /// Tries of each asset so far: they rotate it over the nodes of a region.
    tries: RefCell<HashMap<u32, usize>>,
}

impl Dial for Dialler {
    type Session = Line;

    async fn connect(&self, seat: &Seat) -> Result<Line, String> {
        let nodes = nodes_in(&self.site, &seat.region).map_err(|error| error.to_string())?;
        let turn = {
            let mut tries = self.tries.borrow_mut();
            let count = tries.entry(seat.asset).or_insert(0);
            *count += 1;
            *count - 1 + seat.asset as usize
        };
        let node = nodes[turn % nodes.len()].clone();
        let connecting = connect(&*self.ground, &seat.from, &node);
        let client = match timeout(self.connect_timeout, connecting).await {
            Ok(client) => client.map_err(|error| error.to_string())?,
            Err(_) => {
                return Err(format!("no connection to {node} within {:?}", self.connect_timeout));
            }
        };
        let names = self.site.nodes().cloned().collect();
        Ok(Line {
            gone: client.gone(),
            client: Mutex::new(Some(client)),
            node,
            names,
            clock: self.clock.clone(),
        })
    }
}

/// One asset's connection.
struct Line {
    node: NodeId,
    names: Vec<NodeId>,
    /// None once the asset has left. Requests take turns in the order in which they came.
    client: Mutex<Option<Client>>,
    gone: Gone,
    clock: Clock,
}

impl Session for Line {
    fn node(&self) -> NodeId {
        self.node.clone()
    }

    async fn send(&self, letter: Letter) -> Answer {
        let mut client = self.client.lock().await;
        let Some(client) = client.as_mut() else { return Answer::refused(self.clock.now()) };
        let answer = client.post("/v1/readings", letter.payload).await;
        let at = self.clock.now();
        match answer {
            Ok(answer) => self.verdict(&answer, at),
            Err(_) => Answer::unknown(at),
        }
    }

    async fn closed(&self) -> String {
        self.gone.clone().wait().await;
        format!("the connection to {} ended", self.node)
    }

    fn leave(&self, how: Leave) {
        // Requests under way were dropped before, so nobody holds it.
        if let Ok(mut client) = self.client.try_lock()
            && let Some(client) = client.take()
        {
            client.leave(how);
        }
    }
}

impl Line {
    fn verdict(&self, answer: &client::Answer, at: model::Micros) -> Answer {
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if answer.status() == StatusCode::OK {
            let by = body["node"]
                .as_str()
                .and_then(|name| self.names.iter().find(|node| node.as_str() == name));
            return Answer {
                outcome: Outcome::Acked,
                at,
                by: by.cloned(),
                position: body["position"].as_u64(),
            };
        }
        match body["outcome"].as_str() {
            Some("refused") => Answer::refused(at),
            _ => Answer::unknown(at),
        }
    }
}
