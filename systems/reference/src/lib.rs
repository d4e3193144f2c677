//! Floor 2: the embedded stack, a small replicated and sharded telemetry service that can be told to misbehave, with the driver and
//! the observer that speak to it.
//!
//! * `service`: how nodes are started, and what they say
//! * `driver`: how assets send
//! * `observer`: the log or the current values, and a read-back
//! * `client`: HTTP/1.1 on a socket of the lab
//! * `cluster`: where nodes are, and how one is asked
//! * `node`: the server itself

pub mod client;
mod cluster;
mod driver;
pub mod node;
mod observer;
mod service;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::ReferenceDriver;
pub use observer::ReferenceObserver;
pub use service::ReferenceService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "reference",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<ReferenceService>(
            "reference",
            "The embedded telemetry service, on each node; nothing to install. Defects can be planted in it.",
            "kind: reference\nshards: 12\n",
            |params, site| Ok(stored::<ReferenceService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<ReferenceDriver>(
            "reference",
            "Posts readings over HTTP/1.1, one connection per asset, to a node in the region that the fleet picked.",
            "kind: reference\nconnect_timeout: 1s\n",
            |params, site| Ok(stored::<ReferenceDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<ReferenceObserver>(
            "reference",
            "Follows the log or the current values of every shard at a node in its own region, and reads that node back after heal.",
            "kind: reference\npoll: 200ms\n",
            |params, site| Ok(stored::<ReferenceObserver>(params)?.of(site)),
        )],
    },
};
