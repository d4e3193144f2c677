//! Floor 2: Mosquitto as service, and MQTT 3.1.1 with QoS 1 as driver and observer, over connections of our own.
//!
//! * `service`: a broker on each node, each alone
//! * `driver`: how assets send; `verdict`: what the end of a publish means
//! * `observer`: subscribers of all brokers; `sight`: how far each was seen
//! * `topics`: where a reading goes, and marks
//! * `keeper`: the session that keeps everything for the read-back
//! * `wire`: one connection; the codec is rumqttc's
//!
//! Absent on purpose: rumqttc's event loop with its resends after a reconnect, QoS 0 and 2, retained messages, wills, bridges between brokers,
//! MQTT 5, TLS and passwords.

mod driver;
mod keeper;
mod observer;
mod service;
mod sight;
mod topics;
mod verdict;
mod wire;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::MqttDriver;
pub use observer::MqttObserver;
pub use service::MosquittoService;

/// What this room brings.
pub static SYSTEM: System = System {
    name: "mosquitto",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[Kind::new::<MosquittoService>(
            "mosquitto",
            "A Mosquitto broker on each node. Nothing is replicated; each keeps its sessions in memory and saves them now and then.",
            "{autosave: 1s}",
            |params, site| Ok(stored::<MosquittoService>(params)?.on(site)),
        )],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<MqttDriver>(
            "mqtt",
            "Publishes each attempt of a reading with QoS 1, to a broker in the region that the fleet picked.",
            "{connect_timeout: 1s}",
            |params, site| Ok(stored::<MqttDriver>(params)?.to(site)),
        )],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<MqttObserver>(
            "mqtt",
            "Subscribes to every broker from its own region; after heal, takes what each broker kept for a session that was away.",
            "{}",
            |params, site| Ok(stored::<MqttObserver>(params)?.of(site)),
        )],
    },
};

/// The one shard: which broker takes a reading is the fleet's choice.
const SHARD: &str = "mqtt";
const PORT: u16 = 1883;

/// Pings of every connection; given up after twice as long without a byte.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
