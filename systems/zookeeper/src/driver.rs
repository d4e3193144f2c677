//! The driver: one session per (cell, server), shared by the assets behind it.

use std::sync::Arc;

use document::{
    units::Time,
    within::{HOUR, MS, SECOND, Within},
};
use schemars::JsonSchema;
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Driver, Lane, Lines, Network, Opened, Origin, Protocol,
    SessionLane, Site,
};
use serde::{Deserialize, Serialize};

use crate::{
    CLIENT_PORT,
    jute::{self, Op},
    nodes,
    session::{self, Session},
    verdict,
};

/// Creates a sequential node for each attempt of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZooKeeperDriver {
    /// A try to connect ends after this long. It succeeds when the ensemble has granted a session.
    connect_timeout: Within<Time, MS, HOUR>,
    /// What is asked for; the ensemble grants between 2 and 20 times its `tick_time`. A server that was silent for two thirds of it is given up.
    session_timeout: Within<Time, { 100 * MS }, { 1000 * SECOND }, MS>,
}

impl Default for ZooKeeperDriver {
    fn default() -> Self {
        Self {
            connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))),
            session_timeout: Within::given(Time(std::time::Duration::from_secs(4))),
        }
    }
}

impl ZooKeeperDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: ZooKeeperDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "One connection with a session of its own per cell and server, shared by the cell's assets; made from the address of the asset \
             that asked first. An asset is pinned to one server of the region it wants, the next one there after each try. No retry, no \
             reconnect by itself, no session is taken along to another server, nothing is kept for a later connection. A try to connect ends \
             after {:?} and succeeds when the ensemble has granted a session of {:?} or what comes nearest to it. Pings three times in it, given \
             up after two without a byte. Each attempt is one create of a sequential node. Acked is the answer with the node's number; refused is \
             what changed nothing by the leader's word; anything else is unknown.",
            self.params.connect_timeout.0, self.params.session_timeout.0
        )
    }

    /// One per cell and server; a fleet has a cell in each region at the most.
    fn connections(&self, asked: u32) -> u64 {
        let lines = self.site.topology.regions.len() * self.site.nodes().count();
        u64::from(asked).min(lines as u64)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let creating = Creating {
            session_timeout: self.params.session_timeout.0,
            site: self.site.clone(),
            clock: clock.clone(),
        };
        let lines = Lines::new(creating, self.params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}

struct Creating {
    session_timeout: std::time::Duration,
    site: Site,
    clock: Clock,
}

impl Protocol for Creating {
    type Wire = Session;

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
    ) -> Result<Opened<Session>, &'static str> {
        let (node, name) = self.site.node(line).ok_or("the service has no such server")?;
        let to = network.address(name, CLIENT_PORT);
        let opening = session::open(&*network, &from, to, self.session_timeout);
        let (wire, driving) =
            opening.await.map_err(|_| "the server cannot be reached, or has no quorum")?;
        let ended = Box::pin(async { driving.await.unwrap_or("the connection was given up") });
        Ok(Opened { wire, node, ended })
    }

    /// The server that answers need not lead, so that the answer names none.
    async fn send(&self, session: &Session, attempt: Attempt) -> Answer {
        let create = |out: &mut _| jute::put_create(out, nodes::PREFIX, &attempt.payload, true);
        match session.ask(Op::Create, create).await {
            Ok((reply, read)) => {
                let (outcome, position) = verdict::of_reply(&reply);
                Answer { outcome, at: self.clock.stamp(read), by: None, position }
            }
            Err(error) => {
                let outcome = verdict::of_failure(error);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}
