//! Floor 2: the lab in memory on a paused clock, with its own service, driver and observer. Its figures say what a model does.
//!
//! * `kind`: its line of the catalog, and the paused clock
//! * `lab`: a world that a task plays
//! * `world`: nodes, copies, messages, in the order of their times
//! * `state`: machines and links as they are wanted
//! * `links`: how a message travels
//! * `channel`: jitter and loss of one link
//! * `message`: what travels
//! * `written`: what is kept of a payload
//! * `serve`: what a node does with a message
//! * `group`: one shard with its copies
//! * `raft`: one copy of one log
//! * `service`: the simulated service
//! * `driver`: sends to it
//! * `client`: a client's connection
//! * `observer`: reads it back
//!
//! Absent on purpose: sockets (none exists under a paused clock), disks, CPU time.

mod channel;
mod client;
mod driver;
mod group;
mod kind;
mod lab;
mod links;
mod message;
mod observer;
mod raft;
mod serve;
mod service;
mod state;
mod world;
mod written;

use std::{sync::Arc, time::Duration};

use seams::{
    Kind,
    catalog::{Catalog, System, stored},
};

pub use driver::DriverParams;
pub use kind::LAB;
pub use lab::Pretend;
pub use message::{CLIENT_PORT, PEER_PORT};
pub use observer::ObserverParams;
pub use service::ServiceParams;
pub use state::{Change, Place};

/// Whatever repeats itself takes a step of the clock at the least: a paused clock does not move while somebody is busy, so a loop without a
/// wait would never end, whatever its parameters say.
const STEP: Duration = Duration::from_millis(1);

/// The system that lives in this lab. Its driver and observer find the world through the lab's network.
pub static SYSTEM: System = System {
    name: "pretend",
    lab: Some(LAB.name),
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<ServiceParams>(
            "pretend",
            "A simulated replicated log, in the `pretend` lab only.",
            "{shards: 12, election_timeout: 1s}",
            |params, site| {
                Ok(Arc::new(service::Logs { params: stored(params)?, site: site.clone() }))
            },
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<DriverParams>(
            "pretend",
            "Sends to the simulated service.",
            "{}",
            |params, site| {
                let DriverParams {} = stored(params)?;
                Ok(Arc::new(driver::Sender { site: site.clone() }))
            },
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<ObserverParams>(
            "pretend",
            "Reads the simulated service.",
            "{poll: 50ms}",
            |params, site| {
                Ok(Arc::new(observer::Reader { params: stored(params)?, site: site.clone() }))
            },
        )],
    },
};
