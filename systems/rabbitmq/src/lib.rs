//! Floor 2: RabbitMQ's quorum queues as service, driver and observer, over connections of our own.
//!
//! * `service`: which programs run; `settings`: what their files hold
//! * `driver`: how assets send; `verdict`: what the answer to a publish means
//! * `observer`: a consumer that acks nothing, and a read-back
//! * `queues`: where a reading lies
//! * `publisher`: a connection with publisher confirms
//! * `link`: one connection; `codec`: frames and methods of AMQP 0-9-1; `said`: what a server says by them
//! * `node`: what is asked of a broker's Erlang node, as `rabbitmqctl` asks it; `erlang`: that connection; `terms`: what goes over it
//!
//! Absent on purpose: a client library with its hidden recovery, classic queues and streams, exchanges, the management plugin, TLS and
//! users other than the one that every broker has.

mod codec;
mod driver;
mod erlang;
mod link;
mod node;
mod observer;
mod publisher;
mod queues;
mod said;
mod service;
mod settings;
mod terms;
mod verdict;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::RabbitDriver;
pub use observer::RabbitObserver;
pub use service::RabbitService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "rabbitmq",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<RabbitService>(
            "rabbitmq",
            "A RabbitMQ cluster with quorum queues, one broker on each node, from the `rabbitmq-server` program that is installed.",
            "{queues: 1, replicas: 3, net_ticktime: 5s, partition_handling: pause_minority}",
            |params, site| Ok(stored::<RabbitService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<RabbitDriver>(
            "rabbitmq",
            "Publishes each attempt of a reading to a queue and waits for its confirm, through a broker in the region that the fleet picked.",
            "{connect_timeout: 1s}",
            |params, site| Ok(stored::<RabbitDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<RabbitObserver>(
            "rabbitmq",
            "Consumes the queues of the run without acking anything, and reads them again after heal. One for each service: a queue gives a message to one consumer.",
            "{}",
            |params, site| Ok(stored::<RabbitObserver>(params)?.of(site)),
        )],
    },
};

const CLIENT_PORT: u16 = 5672;
const NODE_PORT: u16 = 25672;
/// Of the name server of a machine's Erlang nodes.
const NAMES_PORT: u16 = 4369;

/// Of every connection of a client: both sides say something every half of it, and give the other up after twice as much.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
