//! Patroni's configuration and its command line. The file is JSON, which is YAML too.

use model::{End, NodeId};
use seams::{Addresses, Command, Process, Restart, Site};
use serde_json::{Value, json};

use super::settings::{Replication, Settings, Version};
use crate::{REST_PORT, SQL_PORT, settings};

/// A standby that hears nothing for this long asks anew, and a primary drops one that says nothing: PostgreSQL's own 60 s would hide every
/// partition of a drill.
const STREAM_TIMEOUT: &str = "5s";

pub(crate) fn process(
    params: &Settings,
    site: &Site,
    node: &NodeId,
    at: &dyn Addresses,
) -> Process {
    let config = config(params, site, node, at);
    let config = serde_json::to_string_pretty(&config).expect("plain data with text keys");
    Process {
        name: "patroni".to_owned(),
        files: [("{data}/patroni.yml".to_owned(), config)].into(),
        command: command(params.version),
        // As both packages' units say.
        restart: Restart::Never,
        ..Process::default()
    }
}

fn command(version: Version) -> Command {
    let file = "{data}/patroni.yml".to_owned();
    let (program, args, more) = match version {
        Version::V3_0_2 => ("/usr/bin/patroni", vec![file], None),
        Version::V4_1_5 => (
            "/usr/bin/python3",
            vec!["-m".to_owned(), "patroni".to_owned(), file],
            Some(("PYTHONPATH", "{servers}/patroni-4.1.5")),
        ),
    };
    // The programs lie where several nodes read them and none should write.
    let env = [("PYTHONDONTWRITEBYTECODE", "1"), ("LC_ALL", "C.UTF-8")].into_iter().chain(more);
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Command { program: program.into(), args, env }
}

fn config(params: &Settings, site: &Site, node: &NodeId, at: &dyn Addresses) -> Value {
    let here = End::Node(node.clone());
    let own = |port| at.of(node, port, &here);
    let etcd = site.endpoints(params.dcs(), "client");
    let etcd: Vec<String> = etcd.iter().map(|(node, port)| at.of(node, *port, &here)).collect();
    json!({
        "scope": site.service.to_string(),
        "name": node.to_string(),
        "log": {"level": "INFO"},
        "restapi": {"listen": own(REST_PORT), "connect_address": own(REST_PORT)},
        "etcd3": {"hosts": etcd},
        "bootstrap": {
            "dcs": dcs(params),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
        },
        "postgresql": {
            "listen": own(SQL_PORT),
            "connect_address": own(SQL_PORT),
            "data_dir": "{data}/pg",
            "bin_dir": params.programs,
            "pgpass": "{data}/pgpass",
            "pg_hba": settings::HBA,
            "authentication": {
                "superuser": {"username": "postgres"},
                "replication": {"username": "replicator"},
            },
            "parameters": settings::parameters(&params.settings),
        },
        "watchdog": {"mode": "off"},
    })
}

/// What the members agree upon, in etcd.
fn dcs(params: &Settings) -> Value {
    json!({
        "ttl": params.ttl.0.as_secs(),
        "loop_wait": params.loop_wait.0.as_secs(),
        "retry_timeout": params.retry_timeout.0.as_secs(),
        "maximum_lag_on_failover": params.maximum_lag_on_failover.0,
        "synchronous_mode": params.replication != Replication::Async,
        "synchronous_mode_strict": params.replication == Replication::SyncStrict,
        "postgresql": {
            "use_pg_rewind": true,
            "use_slots": true,
            "parameters": {
                "max_connections": 200,
                "wal_log_hints": "on",
                "wal_keep_size": "128MB",
                "wal_sender_timeout": STREAM_TIMEOUT,
                "wal_receiver_timeout": STREAM_TIMEOUT,
            },
        },
    })
}
