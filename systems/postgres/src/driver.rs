//! The driver: a pool of connections per cell, all to the server that leads; the work is done in `dial`.

use std::{sync::Arc, time::Duration};

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{Clock, Driver, Lane, Lines, Network, SessionLane, Site, secure::Credentials};
use serde::{Deserialize, Serialize};

use crate::{
    alone::TABLE,
    dial::SqlDial,
    leader::Ask,
    login::{self, DATABASE, Login, Name},
};

/// Inserts readings into a table, over PostgreSQL's wire protocol. Other servers that speak it can be named; only PostgreSQL is tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SqlDriver {
    /// Connections of each cell, shared by its assets; each is one backend of the server.
    pool: Within<u32, 1, 1_000>,
    /// A try to connect ends after this long. It succeeds when a server has said that it takes writes and has prepared the insert.
    connect_timeout: Within<Time, MS, HOUR>,
    /// A connection on which no byte comes for this long, while requests are under way, is given up: a stopped server says nothing.
    socket_timeout: Within<Time, MS, HOUR>,
    /// The table of the readings, with the columns of the one that the services make.
    table: Name,
    /// Where the table is.
    database: Name,
    /// Who sends, and whom it believes. Default: `postgres`, without a password.
    credentials: Credentials,
}

impl Default for SqlDriver {
    fn default() -> Self {
        let two_seconds = Within::given(Time(Duration::from_secs(2)));
        Self {
            pool: Within::given(4),
            connect_timeout: two_seconds,
            socket_timeout: two_seconds,
            table: TABLE.into(),
            database: DATABASE.into(),
            credentials: Credentials::default(),
        }
    }
}

impl SqlDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: SqlDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        format!(
            "A pool of {} connections per cell, shared by the cell's assets, all to the server that leads. \
             To find it every server is asked at once; of those that take writes the one on the highest timeline wins, after the others had as \
             long again to answer. A connection stays with its server for as long as that takes writes, whoever else says that it leads. \
             No retry, no reconnect by itself: a lost connection takes its assets down, and the fleet asks again. \
             A try to connect ends after {:?} and succeeds when the insert is prepared. \
             A connection without a byte for {:?} while requests are under way is given up; one that is told `read only` is left. \
             Each attempt is one prepared INSERT, a transaction of its own, pipelined behind those before it. \
             Acked is CommandComplete *and* ReadyForQuery: the commit lies between them. Refused is only what cannot be there \
             (serialization failures too: they are never retried unseen); anything else is unknown.",
            *self.params.pool, self.params.connect_timeout.0, self.params.socket_timeout.0
        )
    }

    /// While the leader is looked for, each connection of a pool is one to every server.
    fn connections(&self, asked: u32) -> u64 {
        let cells = self.site.topology.regions.len() as u64;
        let pools = (cells * u64::from(*self.params.pool)).min(asked.into());
        pools * self.site.nodes().count().max(1) as u64
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let params = &self.params;
        let (nodes, port) = (login::nodes(&self.site), login::port(&self.site));
        let access = self.site.access(&params.credentials);
        let login = Login { access, database: params.database.clone() };
        let ask = Ask { nodes, port, login, silence: params.socket_timeout.0 };
        let dial = SqlDial {
            ask,
            table: params.table.clone(),
            pool: *params.pool,
            run: self.site.run,
            network: network.clone(),
            clock: clock.clone(),
        };
        let lines = Lines::new(dial, params.connect_timeout.0, network);
        Box::new(SessionLane::new(lines, clock))
    }
}
