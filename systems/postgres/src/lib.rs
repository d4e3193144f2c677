//! Floor 2: PostgreSQL, alone and under Patroni, as service, driver and observer, over connections of our own.
//!
//! * `alone`: one server on one node
//! * `patroni`: a primary and its standbys; `http` asks Patroni
//! * `driver`: how assets send
//! * `dial`: connections to whoever leads
//! * `leader`: who that is, by asking every node
//! * `verdict`: what an insert's answer means
//! * `observer`: looks again and again, and reads back; `page` reads the rows
//! * `inside`: what a server says of itself to somebody in its own node
//! * `table`: where a reading lies
//! * `login`: who asks, and for which table
//! * `lock`: what a secured server is started with
//! * `settings`: what every server of ours is started with
//! * `link`: the wire protocol on a socket of the lab; `tls`: and under TLS
//!
//! Absent on purpose: reconnects, retries and hosts lists of client libraries, transactions of several statements.

mod alone;
mod dial;
mod driver;
mod http;
mod inside;
mod leader;
mod link;
mod lock;
mod login;
mod observer;
mod page;
mod patroni;
mod settings;
mod table;
mod tls;
mod verdict;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use alone::PostgresService;
pub use driver::SqlDriver;
pub use observer::SqlObserver;
pub use patroni::PatroniService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "postgres",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[
            Kind::new::<PostgresService>(
                "postgres",
                "One PostgreSQL server, without a copy, from the programs that are installed.",
                "{programs: /usr/lib/postgresql/15/bin}",
                |params, site| Ok(stored::<PostgresService>(params)?.on(site)),
            ),
            Kind::new::<PatroniService>(
                "patroni",
                "A PostgreSQL primary and its standbys under Patroni, which keeps who leads in an etcd of the same stack.",
                "{etcd: locks, version: 4.1.5, replication: sync, ttl: 20s, loop_wait: 2s, retry_timeout: 5s}",
                |params, site| Ok(stored::<PatroniService>(params)?.on(site)),
            ),
        ],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<SqlDriver>(
            "sql",
            "Inserts each attempt of a reading as a row of its own, on the server that leads. Tested against PostgreSQL only.",
            "{pool: 4, connect_timeout: 2s}",
            |params, site| Ok(stored::<SqlDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<SqlObserver>(
            "sql",
            "Reads the rows of the run, from the server that leads or from a standby in its own region, and reads them back after heal.",
            "{poll: 200ms}",
            |params, site| Ok(stored::<SqlObserver>(params)?.of(site)),
        )],
    },
};

/// The one shard: a server's write-ahead log.
const SHARD: &str = "postgres";
const SQL_PORT: u16 = 5432;
const REST_PORT: u16 = 8008;

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
