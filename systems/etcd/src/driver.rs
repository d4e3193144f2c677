//! The driver: one connection per (cell, member), shared by the assets behind it; the work is done in `dial`.

use std::sync::Arc;

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{Clock, Driver, Lane, Lines, Network, SessionLane, Site, secure::Credentials};
use serde::{Deserialize, Serialize};

use crate::{PING_EVERY, PING_TIMEOUT, dial::EtcdDial};

/// Puts readings into etcd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EtcdDriver {
    /// A try to connect ends after this long. It succeeds when the member has answered a request for its status.
    connect_timeout: Within<Time, MS, HOUR>,
    /// Who puts, and whom it believes. Of etcd only TLS is spoken here, no users.
    credentials: Credentials,
}

impl Default for EtcdDriver {
    fn default() -> Self {
        Self {
            connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))),
            credentials: Credentials::default(),
        }
    }
}

impl EtcdDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: EtcdDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "One HTTP/2 connection per cell and member, shared by the cell's assets; made from the address of the asset that asked first. \
             An asset is pinned to one member of the region it wants, the next one there after each try. \
             No retry, no balancing, no reconnect by itself: a lost connection takes its assets down, and the fleet asks again. \
             A try to connect ends after {:?} and succeeds when the member answers. \
             Pings after {PING_EVERY:?} of silence while requests are open, given up after {PING_TIMEOUT:?} more. \
             Each attempt is one Put under a key of its own with `hasleader`: a member without a leader refuses at once. \
             Acked is the put's answer; refused is only what cannot have been applied; anything else is unknown.",
            self.params.connect_timeout.0
        )
    }

    /// One per cell and member; a fleet has a cell in each region at the most.
    fn connections(&self, asked: u32) -> u64 {
        let lines = self.site.topology.regions.len() * self.site.nodes().count();
        u64::from(asked).min(lines as u64)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let dial = EtcdDial::new(
            self.site.clone(),
            &self.params.credentials,
            network.clone(),
            clock.clone(),
        );
        let lines = Lines::new(dial, self.params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}
