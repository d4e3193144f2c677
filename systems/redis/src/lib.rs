//! Floor 2: Redis under Sentinel as service, driver and observer, with readings in a Redis stream.
//!
//! * `service`: which programs run, and what servers and sentinels say
//! * `settings`: what a scenario may say of them; `config`: the files that they start with
//! * `driver`: how assets send; `dial`: connections to the master, and an XADD over them; `verdict`: what its answer means
//! * `leader`: who leads
//! * `observer`: reads the stream again and again, and once after heal
//! * `log`: where a reading lies
//! * `link`: one connection
//!
//! Absent on purpose: connection managers, pools and retries of Redis' clients, cluster mode, TLS and passwords.

mod config;
mod dial;
mod driver;
mod leader;
mod link;
mod log;
mod observer;
mod service;
mod settings;
mod verdict;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::RedisDriver;
pub use observer::RedisObserver;
pub use service::RedisService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "redis",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<RedisService>(
            "redis",
            "A Redis server and a sentinel on each node, the first of them master; the sentinels fail over.",
            "{down_after: 2s, failover_timeout: 10s, min_replicas_to_write: 0}",
            |params, site| Ok(stored::<RedisService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<RedisDriver>(
            "redis",
            "Adds each attempt of a reading to a stream on the master, wherever it is.",
            "{connect_timeout: 1s, pool: 4}",
            |params, site| Ok(stored::<RedisDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<RedisObserver>(
            "redis",
            "Reads the stream of the run: on the master, or with `shows: replica` on a server in its own region.",
            "{poll: 200ms}",
            |params, site| Ok(stored::<RedisObserver>(params)?.of(site)),
        )],
    },
};

/// The one shard: all readings are in one stream.
const SHARD: &str = "redis";
const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// What sentinels call the group of servers.
const GROUP: &str = "wetdress";

/// Pings of every connection: given up after twice as long without a byte.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
