//! Floor 2: what needs no family of servers: plain HTTP, and a small server that receives readings.
//!
//! * `service`: a sink on each node
//! * `driver`: how assets send; `http1` and `http2`: its lanes; `verdict`: what the end of a request means; `stamped`: a socket of `http2`
//! * `silent`: connections that were left without a word
//! * `observer`: reads all nodes by their cursors
//! * `client`: how a node is asked
//! * `sink`: the server, `wetdress sink`
//! * `reading`: a reading as a sink gives it back
//!
//! Absent on purpose: TLS, pipelining, redirects, retries, pools and reconnects of HTTP clients, which would hide an outage in a latency.

mod client;
mod driver;
mod http1;
mod http2;
mod observer;
mod reading;
mod service;
mod silent;
mod sink;
mod stamped;
mod verdict;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::HttpDriver;
pub use observer::HttpObserver;
pub use service::SinkService;
pub use sink::{Counts, Sink, SinkArgs, SinkError};

/// What this room brings.
pub static SYSTEM: System = System {
    name: "basic",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<SinkService>(
            "sink",
            "The small server `wetdress sink` on each node, which keeps what it receives in memory. Nothing is replicated.",
            "kind: sink\nkeep: 1000000\n",
            |params, site| Ok(stored::<SinkService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<HttpDriver>(
            "http",
            "POSTs readings over HTTP/1.1 or HTTP/2, one connection per asset or per group of them, to a node in the region that the fleet picked.",
            "kind: http\nversion: http2\npath: /readings\nrefused: [503]\n",
            |params, site| Ok(stored::<HttpDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<HttpObserver>(
            "http",
            "Reads every node of a sink by its cursor, from its own region, and reads them back after heal.",
            "kind: http\n",
            |params, site| Ok(stored::<HttpObserver>(params)?.of(site)),
        )],
    },
};

/// The one shard.
const SHARD: &str = "sink";
/// Where a sink listens.
const PORT: u16 = 7080;
