//! The driver's connections: one per cell and member, and a put over it.

use std::sync::{Arc, Mutex, PoisonError};

use model::{NodeIndex, Outcome};
use prost::bytes::Bytes;
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Network, Opened, Origin, Protocol, Site,
    secure::{Access, Credentials, cause},
};

use crate::{
    CLIENT_PORT, PING_EVERY, PING_TIMEOUT, calls,
    keys::Keys,
    verdict,
    wire::{self, Keepalive, Wire},
};

pub(crate) struct EtcdDial {
    site: Site,
    network: Arc<dyn Network>,
    clock: Clock,
    keys: Mutex<Keys>,
    access: Access,
}

/// A connection, and the member at its other side.
#[derive(Clone)]
pub(crate) struct Member {
    wire: Wire,
    node: NodeIndex,
}

impl EtcdDial {
    pub(crate) fn new(
        site: Site,
        credentials: &Credentials,
        network: Arc<dyn Network>,
        clock: Clock,
    ) -> Self {
        let access = wire::access(&site, credentials);
        let keys = Mutex::new(Keys::of(site.run));
        Self { site, network, clock, keys, access }
    }

    fn key(&self, attempt: &Attempt) -> Bytes {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.key(&attempt.identity, attempt.number)
    }
}

impl Protocol for EtcdDial {
    type Wire = Member;

    /// An asset is pinned to the next member of the region at each attempt.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        let member = self.site.nth_in(&request.region, request.turn());
        member.map(|(node, _)| u32::from(node.0)).ok_or("the region has no member of the service")
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        line: u32,
    ) -> Result<Opened<Member>, &'static str> {
        let (node, name) = self.site.node(line).ok_or("the service has no such member")?;
        let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
        let to = network.address(name, CLIENT_PORT);
        let opening = wire::open(&*network, &from, to, keepalive, &self.access).await;
        let (wire, driving) =
            opening.map_err(|error| cause(&error).unwrap_or("the member cannot be reached"))?;
        let status = calls::status(&wire).await;
        status.map_err(|_| wire.refusal().unwrap_or("the member did not say its status"))?;
        let ended = Box::pin(async { driving.await.unwrap_or("the connection was given up") });
        Ok(Opened { wire: Member { wire, node }, node, ended })
    }

    async fn send(&self, Member { wire, node }: &Member, attempt: Attempt) -> Answer {
        let key = self.key(&attempt);
        match calls::put(wire, key, attempt.payload).await {
            Ok(revision) => {
                let at = self.clock.stamp(wire.last_read());
                let position = Some(revision);
                Answer { outcome: Outcome::Acked, at, by: Some(*node), position }
            }
            Err(status) => {
                self.network.failed(&status);
                let outcome = verdict::of_failure(&status);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}
