//! Floor 2: etcd as service, driver and observer, over connections of our own.
//!
//! * `service`: which programs run, and what members say
//! * `driver`: how assets send
//! * `dial`: connections to members, and a put over them
//! * `verdict`: what a put's answer means
//! * `observer`: a watch, and a read-back
//! * `calls`: the few calls that are made
//! * `keys`: where a reading lies
//! * `wire`: HTTP/2 on a socket of the lab
//! * `proto`: generated wire types
//!
//! Absent on purpose: etcd's clients with their balancing, retries and hidden reconnects, leases, transactions, users.

mod calls;
mod dial;
mod driver;
mod keys;
mod observer;
mod proto;
mod service;
mod verdict;
mod wire;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::EtcdDriver;
pub use observer::EtcdObserver;
pub use service::EtcdService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "etcd",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<EtcdService>(
            "etcd",
            "An etcd cluster, one member on each node, from the `etcd` program that is installed.",
            "{heartbeat_interval: 100ms, election_timeout: 1s}",
            |params, site| Ok(stored::<EtcdService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<EtcdDriver>(
            "etcd",
            "Puts each attempt of a reading under a key of its own, on a member in the region that the fleet picked.",
            "{connect_timeout: 1s}",
            |params, site| Ok(stored::<EtcdDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<EtcdObserver>(
            "etcd",
            "Watches the keys of the run on a member in its own region, and reads that member back after heal.",
            "{}",
            |params, site| Ok(stored::<EtcdObserver>(params)?.of(site)),
        )],
    },
};

/// The one shard: etcd is one log.
const SHARD: &str = "etcd";
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// HTTP/2 pings of every connection: after this long without a byte, and given up after as much again.
const PING_EVERY: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// Patience of probes, observers and read-backs with one answer; longer than etcd's own 7 s with a request would only hide which
/// member does not answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
