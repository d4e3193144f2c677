//! Floor 2: ZooKeeper as service, driver and observer, over connections of our own.
//!
//! * `service`: which programs run, and what servers say
//! * `driver`: how assets send; `verdict`: what the answer to a create means
//! * `observer`: reads node after node, and all of them again
//! * `nodes`: where a reading lies
//! * `session`: one connection with a session of its own; `jute`: requests and answers as bytes
//! * `words`: the four-letter words that a server answers
//!
//! Absent on purpose: ZooKeeper's own client with its hidden reconnects and its session that moves between servers, watches, ephemeral
//! nodes, TLS and passwords.

mod driver;
mod jute;
mod nodes;
mod observer;
mod service;
mod session;
mod verdict;
mod words;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::ZooKeeperDriver;
pub use observer::ZooKeeperObserver;
pub use service::ZooKeeperService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "zookeeper",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<ZooKeeperService>(
            "zookeeper",
            "A ZooKeeper ensemble, one server on each node, from the Java classes that are installed.",
            "{tick_time: 500ms, init_limit: 20, sync_limit: 6}",
            |params, site| Ok(stored::<ZooKeeperService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<ZooKeeperDriver>(
            "zookeeper",
            "Creates a sequential node for each attempt of a reading, through a server in the region that the fleet picked.",
            "{connect_timeout: 1s, session_timeout: 4s}",
            |params, site| Ok(stored::<ZooKeeperDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<ZooKeeperObserver>(
            "zookeeper",
            "Reads the nodes of the run from the server of its own region, in the order of their numbers, and all of them again after heal.",
            "{poll: 200ms}",
            |params, site| Ok(stored::<ZooKeeperObserver>(params)?.of(site)),
        )],
    },
};

const CLIENT_PORT: u16 = 2181;
/// Where followers reach the leader.
const PEER_PORT: u16 = 2888;
const ELECTION_PORT: u16 = 3888;

/// An ensemble has one leader for all that it holds.
const SHARD: &str = "ensemble";

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
