//! Floor 2: NATS with JetStream as service, driver and observer, over connections of our own.
//!
//! * `service`: which programs run, and what servers say
//! * `driver`: how assets send; `verdict`: what the answer to a publish means
//! * `observer`: a push consumer, and a read-back
//! * `streams`: where a reading lies
//! * `calls`: the few requests of JetStream that are made
//! * `wire`: one connection; `hello`: how it begins; `parse`: the lines of the protocol
//! * `lock`: what a secured server is started with
//! * `ask`: the monitoring pages of a server
//!
//! Absent on purpose: NATS' own clients with their hidden reconnects and their buffers for the time between, accounts,
//! work queues, key-value and object stores.

mod ask;
mod calls;
mod driver;
mod hello;
mod lock;
mod observer;
mod parse;
mod service;
mod streams;
mod verdict;
mod wire;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::NatsDriver;
pub use observer::NatsObserver;
pub use service::NatsService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "nats",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<NatsService>(
            "nats",
            "A NATS cluster with JetStream, one server on each node, from the `nats-server` program that is installed.",
            "{streams: 1, replicas: 3, sync: always}",
            |params, site| Ok(stored::<NatsService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<NatsDriver>(
            "nats",
            "Publishes each attempt of a reading to a stream, through a server in the region that the fleet picked.",
            "{connect_timeout: 1s, message_id: attempt}",
            |params, site| Ok(stored::<NatsDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<NatsObserver>(
            "nats",
            "Consumes the streams of the run through a server in its own region, and reads them again after heal.",
            "{}",
            |params, site| Ok(stored::<NatsObserver>(params)?.of(site)),
        )],
    },
};

const CLIENT_PORT: u16 = 4222;
const MONITOR_PORT: u16 = 8222;
const ROUTE_PORT: u16 = 6222;

/// Pings of every connection: after this long without a byte, and given up after as much again.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
