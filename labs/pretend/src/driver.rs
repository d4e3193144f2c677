//! Sends readings: one connection per asset.

use std::sync::Arc;

use model::{NodeId, Outcome, RegionId};
use schemars::JsonSchema;
use seams::{
    Answer, Clock, Dial, Driver, Ground, Lane, Leave, Letter, Seat, Session, SessionLane, Site,
};
use serde::{Deserialize, Serialize};

use crate::{
    client::Connection,
    lab::Memory,
    message::{Ask, Reply},
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

    fn lane(&self, ground: Arc<dyn Ground>, clock: Clock) -> Box<dyn Lane> {
        let dialer =
            Dialer { memory: Memory::of(&*ground), site: self.site.clone(), clock: clock.clone() };
        Box::new(SessionLane::new(dialer, clock))
    }
}

struct Dialer {
    memory: Option<Memory>,
    site: Site,
    clock: Clock,
}

impl Dialer {
    fn node(&self, region: &RegionId, asset: u32) -> Option<NodeId> {
        let here = self.site.nodes().filter(|node| {
            self.site.topology.nodes.get(*node).is_some_and(|node| node.region == *region)
        });
        let here: Vec<&NodeId> = here.collect();
        here.get(asset as usize % here.len().max(1)).map(|node| (*node).clone())
    }
}

impl Dial for Dialer {
    type Session = Talk;

    async fn connect(&self, seat: &Seat) -> Result<Talk, String> {
        let memory =
            self.memory.as_ref().ok_or("the `pretend` system runs in the `pretend` lab only")?;
        let node = self
            .node(&seat.region, seat.asset)
            .ok_or_else(|| format!("{} has no node in {}", self.site.service, seat.region))?;
        let connection = Connection::open(memory, seat.from.clone(), node).await?;
        Ok(Talk { connection, clock: self.clock.clone() })
    }
}

struct Talk {
    connection: Connection,
    clock: Clock,
}

impl Session for Talk {
    fn node(&self) -> NodeId {
        self.connection.node.clone()
    }

    async fn send(&self, letter: Letter) -> Answer {
        let reply = self
            .connection
            .ask(Ask::Append { asset: letter.identity.asset, payload: letter.payload })
            .await;
        let at = self.clock.now();
        match reply {
            Some(Reply::Appended { by, position }) => {
                Answer { outcome: Outcome::Acked, at, by: Some(by), position: Some(position) }
            }
            Some(Reply::Refused) => Answer::refused(at),
            Some(Reply::Shown(_) | Reply::Heads(_)) | None => Answer::unknown(at),
        }
    }

    async fn closed(&self) -> String {
        self.connection.gone().await
    }

    /// A node of this lab keeps nothing per connection: it makes no difference to it how an asset leaves.
    fn leave(&self, _: Leave) {}
}
