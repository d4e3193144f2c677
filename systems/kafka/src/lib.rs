//! Floor 2: Kafka as service, driver and observer, over connections of our own.
//!
//! * `settings`: what a scenario may write of the service
//! * `properties`: the files that a node starts with
//! * `program`: how a node's Java machine is started
//! * `service`: brokers, and what they say
//! * `controllers`: controllers apart from brokers; `quorum`: who votes, and who of them is active
//! * `driver`: how assets send
//! * `librdkafka`: the other way to send, by the client that services use
//! * `acks`: who must have a record before it is acked
//! * `dial`: a connection to whoever leads
//! * `sender`: records on their way over a connection
//! * `leaders`: every broker is asked who leads
//! * `verdict`: what a produce's answer means
//! * `observer`: a fetch without end, and a read-back
//! * `records`: what a fetched piece of a log holds
//! * `topic`: partitions as shards, and the newest view of them
//! * `calls`: the few calls that are made
//! * `keys`: what a record's key says
//! * `wire`: Kafka's protocol on a socket of the lab
//! * `login`: a wire on which the broker knows who speaks; `scram`: how a password is proven
//! * `lock`: what a secured node is started with
//!
//! Absent on purpose: consumer groups, transactions, compression.

mod acks;
mod calls;
mod controllers;
mod dial;
mod driver;
mod keys;
mod leaders;
mod librdkafka;
mod lock;
mod login;
mod observer;
mod program;
mod properties;
mod quorum;
mod records;
mod scram;
mod sender;
mod service;
mod settings;
mod topic;
mod verdict;
mod wire;

use std::time::Duration;

use seams::catalog::{Catalog, Kind, System, stored};

pub use driver::KafkaDriver;
pub use librdkafka::LibrdkafkaDriver;
pub use observer::KafkaObserver;
pub use settings::{KafkaControllers, KafkaService};

/// What this room brings.
pub static SYSTEM: System = System {
    name: "kafka",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[
            Kind::new::<KafkaService>(
                "kafka",
                "A Kafka cluster in KRaft mode with one topic, from `ci/install-servers kafka`; its nodes are controllers too unless it has some apart.",
                "{timers: quick, topic: {name: telemetry, partitions: 3, replicas: 3, min_insync: 2}}",
                |params, site| Ok(stored::<KafkaService>(params)?.on(site)),
            ),
            Kind::new::<KafkaControllers>(
                "kafka-controllers",
                "Controllers of a Kafka cluster in KRaft mode, apart from its brokers.",
                "{timers: quick}",
                |params, site| Ok(stored::<KafkaControllers>(params)?.on(site)),
            ),
        ],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[
            Kind::new::<KafkaDriver>(
                "kafka",
                "Produces each attempt of a reading as one record to the leader of its asset's partition, without retries.",
                "{acks: all, batch: 100, connect_timeout: 1s}",
                |params, site| Ok(stored::<KafkaDriver>(params)?.to(site)),
            ),
            Kind::new::<LibrdkafkaDriver>(
                "librdkafka",
                "Produces readings to Kafka by the client that services use, with all that it does by itself; in builds with it only.",
                "{profile: defaults, acks: all, settings: {linger.ms: \"5\"}}",
                |params, site| stored::<LibrdkafkaDriver>(params)?.to(site),
            ),
        ],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<KafkaObserver>(
            "kafka",
            "Fetches every partition up to its high watermark, from its leader or, as a replica, from the node of its own region.",
            "{}",
            |params, site| Ok(stored::<KafkaObserver>(params)?.of(site)),
        )],
    },
};

const CLIENT_PORT: u16 = 9092;
const CONTROLLER_PORT: u16 = 9093;

/// The log that the active controller leads.
const METADATA_SHARD: &str = "__cluster_metadata-0";

/// Patience of probes, observers and read-backs with one answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
