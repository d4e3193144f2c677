//! What a broker is started with.

use std::collections::BTreeMap;

use document::{
    units::Time,
    within::{HOUR, SECOND, Within},
};
use model::{End, NodeId};
use schemars::JsonSchema;
use seams::{Addresses, Site};
use serde::{Deserialize, Serialize};

use crate::{CLIENT_PORT, NODE_PORT, node};

/// `net_ticktime` of a node, in whole seconds.
pub(crate) type TickTime = Within<Time, { 4 * SECOND }, HOUR, SECOND>;

/// `cluster_partition_handling` of a broker. Quorum queues go by their own majority, whatever is written here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartitionHandling {
    /// Both sides go on, RabbitMQ's own default.
    #[default]
    Ignore,
    /// A broker that sees no majority stops serving, and closes its clients' connections, until it sees one again.
    PauseMinority,
    /// After the heal the smaller side is started anew.
    Autoheal,
}

impl PartitionHandling {
    fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::PauseMinority => "pause_minority",
            Self::Autoheal => "autoheal",
        }
    }
}

/// The host by which everybody reaches a node: Erlang nodes go by one name for all.
fn host(node: &NodeId, at: &dyn Addresses) -> String {
    let address = at.of(node, NODE_PORT, &End::Node(node.clone()));
    address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned())
}

pub(crate) fn files(
    node: &NodeId,
    at: &dyn Addresses,
    site: &Site,
    tick: TickTime,
    handling: PartitionHandling,
) -> BTreeMap<String, String> {
    let mut config = format!(
        "listeners.tcp.1 = {}:{CLIENT_PORT}\n\
         # Clients of the lab are never on the broker's own host.\n\
         loopback_users.guest = false\n\
         net_ticktime = {}\n\
         cluster_partition_handling = {}\n\
         cluster_formation.peer_discovery_backend = classic_config\n",
        host(node, at),
        tick.0.as_secs(),
        handling.word(),
    );
    for (number, peer) in (1..).zip(site.nodes()) {
        let name = node::name(host(peer, at));
        config += &format!("cluster_formation.classic_config.nodes.{number} = {name}\n");
    }
    [
        ("rabbitmq.conf".to_owned(), config),
        ("enabled_plugins".to_owned(), "[].\n".to_owned()),
        ("{data}/.erlang.cookie".to_owned(), node::cookie(site)),
    ]
    .into()
}

pub(crate) fn environment(node: &NodeId, at: &dyn Addresses) -> BTreeMap<String, String> {
    let host = host(node, at);
    let name = node::name(&host);
    let port = NODE_PORT.to_string();
    let all = [
        ("RABBITMQ_NODENAME", name.as_str()),
        ("RABBITMQ_USE_LONGNAME", "true"),
        ("RABBITMQ_DIST_PORT", &port),
        ("RABBITMQ_MNESIA_BASE", "{data}"),
        ("RABBITMQ_LOG_BASE", "{data}"),
        ("RABBITMQ_LOGS", "-"),
        ("RABBITMQ_CONFIG_FILE", "{data}/rabbitmq"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "{data}/enabled_plugins"),
        // This machine's own settings are none of a drill's.
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null"),
        // Brokers of the lab share its cores: none is to spin where it has nothing to do.
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none"),
        ("ERL_EPMD_ADDRESS", &host),
        ("LC_ALL", "C.UTF-8"),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
