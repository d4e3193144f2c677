//! The files that a node's server and sentinel start with. Both rewrite them as they go: after a restart they know what they knew.

use model::{End, NodeId};
use seams::{Addresses, Site};

use crate::{GROUP, SENTINEL_PORT, SERVER_PORT, settings::Settings};

/// Of the server: a master where the node is the first of the service, a replica of that one elsewhere.
pub(crate) fn server(
    settings: &Settings,
    site: &Site,
    node: &NodeId,
    at: &dyn Addresses,
) -> String {
    let host = host(node, SERVER_PORT, at, node);
    let first = site.nodes().next().filter(|first| *first != node);
    let follows = first.map_or(String::new(), |first| {
        format!("replicaof {} {SERVER_PORT}\n", self::host(first, SERVER_PORT, at, node))
    });
    format!(
        "bind {host}\nport {SERVER_PORT}\ndir {{data}}\nprotected-mode no\nappendonly yes\nappendfsync {}\nsave \"\"\n\
         replica-announce-ip {host}\nrepl-ping-replica-period 1\nrepl-timeout 5\nrepl-diskless-sync-delay 0\n\
         min-replicas-to-write {}\nmin-replicas-max-lag {}\n{follows}",
        settings.fsync.word(),
        *settings.min_replicas_to_write,
        settings.min_replicas_max_lag.0.as_secs(),
    )
}

pub(crate) fn sentinel(
    settings: &Settings,
    site: &Site,
    node: &NodeId,
    at: &dyn Addresses,
) -> String {
    let host = host(node, SENTINEL_PORT, at, node);
    let first = site.nodes().next().unwrap_or(node);
    let master = self::host(first, SERVER_PORT, at, node);
    format!(
        "bind {host}\nport {SENTINEL_PORT}\ndir {{data}}\nprotected-mode no\nsentinel announce-ip {host}\n\
         sentinel monitor {GROUP} {master} {SERVER_PORT} {}\nsentinel down-after-milliseconds {GROUP} {}\n\
         sentinel failover-timeout {GROUP} {}\nsentinel parallel-syncs {GROUP} 1\n",
        settings.quorum(site),
        settings.down_after.0.as_millis(),
        settings.failover_timeout.0.as_millis(),
    )
}

/// The address alone.
fn host(of: &NodeId, port: u16, at: &dyn Addresses, seen_from: &NodeId) -> String {
    let address = at.of(of, port, &End::Node(seen_from.clone()));
    address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned())
}
