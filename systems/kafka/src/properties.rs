//! The files that a node starts with.

use std::{fmt::Write, time::Duration};

use model::{End, NodeId};
use seams::{Addresses, Site};

use crate::{
    CLIENT_PORT, CONTROLLER_PORT, lock,
    quorum::{self, Voter},
    settings::{Settings, Timers},
    topic,
};

pub(crate) const SERVER_FILE: &str = "{data}/server.properties";
/// The same where passwords stand in it.
pub(crate) const PRIVATE_SERVER_FILE: &str = "{private}/server.properties";
pub(crate) const FORMAT_FILE: &str = "{private}/format.args";
pub(crate) const LOGGING_FILE: &str = "{data}/log4j2.properties";

/// THE failover timer: a broker that its controller has not heard for this long is fenced, and its partitions are led by others.
pub(crate) const SESSION_TIMEOUT: &str = "broker.session.timeout.ms";

/// A controller that hears nothing of the active one for this long calls an election.
pub(crate) const FETCH_TIMEOUT: &str = "controller.quorum.fetch.timeout.ms";

/// Times in milliseconds, with Kafka's own defaults and with those for short drills.
const TIMERS_MS: [(&str, u64, u64); 7] = [
    (SESSION_TIMEOUT, 9_000, 3_000),
    ("broker.heartbeat.interval.ms", 2_000, 500),
    ("controller.quorum.election.timeout.ms", 1_000, 500),
    (FETCH_TIMEOUT, 2_000, 1_000),
    ("controller.quorum.request.timeout.ms", 2_000, 1_000),
    ("replica.lag.time.max.ms", 30_000, 3_000),
    ("replica.socket.timeout.ms", 30_000, 3_000),
];

/// What each listener speaks, by its name.
const PROTOCOLS: &str = "listener.security.protocol.map";

/// The timers of a profile, by the names that Kafka's manual has for them.
pub(crate) fn timers(profile: Timers) -> Vec<(&'static str, Duration)> {
    let of = |(name, default, quick): (&'static str, u64, u64)| {
        let ms = match profile {
            Timers::Default => default,
            Timers::Quick => quick,
        };
        (name, Duration::from_millis(ms))
    };
    TIMERS_MS.map(of).into()
}

/// One per run, so that no node takes another run's disk for its own: 22 characters of base64, as Kafka wants it.
pub(crate) fn cluster_id(run: u64) -> String {
    format!("wtdrs{run:016x}A")
}

/// `server.properties` of a broker, which is a controller too unless there are some apart.
pub(crate) fn server(params: &Settings, site: &Site, node: &NodeId, at: &dyn Addresses) -> String {
    let here = End::Node(node.clone());
    let apart = params.controllers.as_ref();
    let number = topic::brokers(site).find(|(_, name)| *name == node).map_or(0, |(id, _)| id);
    let rack = site.topology.nodes.get(node).map(|node| node.region.to_string());
    let secured = params.secured.as_ref();
    let name = lock::listener(secured);
    let client = format!("{name}://{}", at.of(node, CLIENT_PORT, &here));
    let (roles, listeners) = match apart {
        None => {
            let controller = at.of(node, CONTROLLER_PORT, &here);
            ("broker,controller", format!("{client},CONTROLLER://{controller}"))
        }
        Some(_) => ("broker", client.clone()),
    };
    let topic = &params.topic;
    let own = [
        ("process.roles", roles.to_owned()),
        ("node.id", number.to_string()),
        ("listeners", listeners),
        ("advertised.listeners", client),
        ("inter.broker.listener.name", name.to_owned()),
        (PROTOCOLS, format!("CONTROLLER:{},{name}:{name}", lock::of_controllers(secured))),
        ("broker.rack", rack.unwrap_or_default()),
        ("default.replication.factor", topic.replicas.to_string()),
        ("min.insync.replicas", topic.min_insync.to_string()),
        ("auto.create.topics.enable", "false".to_owned()),
    ];
    text(&own, &quorum::of_brokers(site, apart), params.timers, &here, at)
}

/// `server.properties` of a controller that is no broker.
pub(crate) fn controller(timers: Timers, site: &Site, node: &NodeId, at: &dyn Addresses) -> String {
    let here = End::Node(node.clone());
    let voters = quorum::apart(site);
    let number = voters.iter().find(|(_, name)| name == node).map_or(0, |(id, _)| *id);
    let own = [
        ("process.roles", "controller".to_owned()),
        ("node.id", number.to_string()),
        ("listeners", format!("CONTROLLER://{}", at.of(node, CONTROLLER_PORT, &here))),
        (PROTOCOLS, "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned()),
    ];
    text(&own, &voters, timers, &here, at)
}

fn text(
    own: &[(&str, String)],
    voters: &[Voter],
    profile: Timers,
    here: &End,
    at: &dyn Addresses,
) -> String {
    let voters: Vec<String> = voters
        .iter()
        .map(|(number, node)| format!("{number}@{}", at.of(node, CONTROLLER_PORT, here)))
        .collect();
    let shared = [
        ("controller.quorum.voters", voters.join(",")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("log.dirs", "{data}/kafka".to_owned()),
    ];
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name}={value}").expect("memory takes every line");
    };
    own.iter().chain(&shared).for_each(|(name, value)| line(name, value));
    // Kafka's own are left to Kafka.
    if profile != Timers::Default {
        for (name, value) in timers(profile) {
            line(name, &value.as_millis().to_string());
        }
    }
    text
}

/// `log4j2.properties`: everything to stdout, which the lab keeps.
pub(crate) const LOGGING: &str = "\
status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
";
