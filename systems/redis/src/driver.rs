//! The driver: a small pool of connections per cell, each to the master; the work is done in `dial`.

use std::sync::Arc;

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{Clock, Driver, Lane, Lines, Network, SessionLane, Site};
use serde::{Deserialize, Serialize};

use crate::{PING_EVERY, dial::RedisDial, log};

/// Adds readings to a Redis stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisDriver {
    /// A try to connect ends after this long. It succeeds when a server has said that it is master.
    connect_timeout: Within<Time, MS, HOUR>,
    /// Connections of a cell, which its assets share.
    pool: Within<u32, 1, 1000>,
}

impl Default for RedisDriver {
    fn default() -> Self {
        Self {
            connect_timeout: Within::given(Time(std::time::Duration::from_secs(1))),
            pool: Within::given(4),
        }
    }
}

impl RedisDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: RedisDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        let RedisDriver { connect_timeout, pool } = &self.params;
        format!(
            "A pool of {pool} connections per cell, shared by its assets; made from the address of the asset that asked first. A connect asks \
             every server for its role at once, and each that calls itself master for its sentinel's epoch; the highest wins, and the region \
             that an asset wants does not matter. No retry, no reconnect by itself: a server that answers READONLY loses its connections, and the \
             fleet asks again. A try to connect ends after {:?}. Pings every {PING_EVERY:?} of standing, given up after as much again without a \
             byte. Each attempt is one XADD. Acked is the entry's id: the master has it in memory, and nobody waits for a replica (`WAIT` is not \
             used). Refused is what the server refuses before it does anything; anything else is unknown.",
            connect_timeout.0,
        )
    }

    /// A fleet has a cell in each region at the most; while a connection is made, every server and its sentinel are asked.
    fn connections(&self, asked: u32) -> u64 {
        let cells = self.site.topology.regions.len() as u64;
        let pool = u64::from(*self.params.pool).min(asked.into());
        cells * pool * (1 + 2 * self.site.nodes().count() as u64)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let nodes = self.site.topology.indices();
        let nodes = self.site.nodes().filter_map(|name| Some((*nodes.get(name)?, name.clone())));
        let dial = RedisDial {
            nodes: nodes.collect(),
            pool: *self.params.pool,
            key: log::key(self.site.run),
            network: network.clone(),
            clock: clock.clone(),
        };
        let lines = Lines::new(dial, self.params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}
