//! The service: which programs a node runs, and what each server says of itself.
//!
//! Every probe is made inside the asked node, so that it crosses no link. The leader of a stream is asked for by each server's own view
//! (`/jsz`), its term by the server's own raft groups (`/raftz`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use document::within::Within;
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer,
    secure::{Credentials, Hidden, Secured},
    servers::{Requirement, Versions},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, MONITOR_PORT, ROUTE_PORT, ask, calls,
    lock::Lock,
    streams::Streams,
    wire::{self, Wire},
};

/// A NATS cluster with JetStream, and the streams that are made in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatsService {
    /// The server: a name to be found in the folder of installed servers or on PATH, or an absolute path. Seen to work with 2.15.
    program: PathBuf,
    /// How many streams there are; each is a shard with a leader of its own. An asset's readings go to one of them.
    streams: Within<u32, 1, 64>,
    /// On how many servers each stream lies.
    replicas: Within<u32, 1, 5>,
    /// When a server syncs what it has acked to its disk.
    sync: Sync,
    /// TLS between clients and servers, and who may log in; servers among themselves are in the clear. Default: nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    secured: Option<Secured>,
}

/// `sync_interval` of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sync {
    /// Every two minutes, NATS' own default: what was acked since then may be lost with the power of all copies.
    #[default]
    Periodic,
    /// Before each ack.
    Always,
}

impl Default for NatsService {
    fn default() -> Self {
        Self {
            program: "nats-server".into(),
            streams: Within::given(1),
            replicas: Within::given(3),
            sync: Sync::default(),
            secured: None,
        }
    }
}

impl NatsService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Cluster { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Cluster {
    params: NatsService,
    site: Site,
}

const LEADER: RoleName = RoleName::leads("leader");
const FOLLOWER: RoleName = RoleName::copies("follower");

/// Of a server's raft, not to be set: a follower that hears nothing for 4 s to 9 s calls an election (`minElectionTimeoutDefault` and
/// `maxElectionTimeoutDefault` in the server's `raft.go`); a leader says that it is there every second.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(4);
const HEARTBEAT: Duration = Duration::from_secs(1);

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let (mut files, mut private) = (BTreeMap::new(), BTreeMap::new());
        let path = match &self.params.secured {
            None => "{data}/nats.conf",
            Some(_) => "{private}/nats.conf",
        };
        match &self.params.secured {
            None => drop(files.insert("nats.conf".to_owned(), self.config(node, at))),
            Some(secured) => {
                let lock = Lock::of(secured, &self.site, node);
                private = lock.private;
                let config = format!("{}{}", self.config(node, at), lock.config);
                private.insert(path.to_owned(), Hidden::new(config));
            }
        }
        let command = Command {
            program: self.params.program.clone(),
            args: vec!["--config".to_owned(), path.to_owned()],
            ..Command::default()
        };
        vec![Process { name: "nats".to_owned(), files, private, command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("monitor", MONITOR_PORT), ("route", ROUTE_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER]
    }

    fn shards(&self) -> Vec<ShardId> {
        self.streams().all().map(ShardId::from).collect()
    }

    fn shard_of(&self, asset: u32, _stream: u16) -> ShardId {
        self.streams().shard_of(asset)
    }

    fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value, bounds_failover| Timer {
            name: name.to_owned(),
            value,
            bounds_failover,
        };
        vec![
            timer("raft heartbeat", HEARTBEAT, false),
            timer("raft election", ELECTION_TIMEOUT, true),
        ]
    }

    fn secured(&self) -> Option<&Secured> {
        self.params.secured.as_ref()
    }

    fn check(&self) -> Vec<Objection> {
        let (replicas, nodes) = (self.replicas() as usize, self.site.nodes().count());
        if replicas <= nodes {
            return vec![];
        }
        let message = format!("`replicas` is {replicas}, and the service has {nodes} nodes");
        vec![Objection::new("replicas", message).help(format!("At most {nodes}, or more nodes"))]
    }

    fn requirements(&self) -> Vec<Requirement> {
        let versions = Versions { ask: &["--version"], from: (2, 15), to: (2, 15) };
        vec![Requirement::program(self.params.program.clone(), "nats").with_versions(versions)]
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every server answers for its health, with JetStream's, and knows the same leader of the cluster's own raft group.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let mut leaders = BTreeSet::new();
        for node in self.site.nodes() {
            page(network, node, "/healthz").await?;
            let status = page(network, node, "/jsz").await?;
            leaders.insert(text(&status["meta_cluster"]["leader"]));
        }
        if leaders.len() == 1 && leaders.first().is_some_and(|leader| !leader.is_empty()) {
            return Ok(());
        }
        Err(SystemError::Answer {
            doing: "find the cluster's leader".to_owned(),
            why: "the servers do not name the same one yet".to_owned(),
        })
    }

    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let node = self.site.nodes().next().ok_or_else(nobody)?;
        let wire = self.inside(network, node).await?;
        for (stream, subjects) in self.streams().subjects() {
            calls::create_stream(&wire, &stream, &subjects, self.replicas()).await?;
        }
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let mut versions = BTreeSet::new();
        for node in self.site.nodes() {
            versions.insert(text(&page(network, node, "/varz").await?["version"]));
        }
        Ok(format!("nats-server {}", versions.into_iter().collect::<Vec<_>>().join(" and ")))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let held = page(network, node, "/jsz?accounts=true&streams=true&raft=true").await?;
        let groups = page(network, node, "/raftz?acc=$G").await?;
        let accounts = held["account_details"].as_array().into_iter().flatten();
        let streams = accounts.flat_map(|account| account["stream_detail"].as_array());
        let role = |stream: &Value| {
            let group = &groups["$G"][stream["stream_raft_group"].as_str()?];
            let role = if group["state"] == "LEADER" { LEADER } else { FOLLOWER };
            let shard = ShardId::from(stream["name"].as_str()?);
            Some(Role { shard, role, term: group["term"].as_u64()? })
        };
        Ok(streams.flatten().filter_map(role).collect())
    }

    /// By the word of each stream's leader: every copy is there and not behind.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let mut why = nobody();
        for node in self.site.nodes() {
            match self.copies_by(network, node).await {
                Ok(whole) => return Ok(whole),
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

impl Cluster {
    fn streams(&self) -> Streams {
        Streams { run: self.site.run, count: *self.params.streams }
    }

    fn replicas(&self) -> u32 {
        *self.params.replicas
    }

    fn config(&self, node: &NodeId, at: &dyn Addresses) -> String {
        let here = End::Node(node.clone());
        let route = |peer: &NodeId| format!("nats://{}", at.of(peer, ROUTE_PORT, &here));
        let routes = self.site.nodes().map(route).collect::<Vec<_>>().join(", ");
        let own = |port| at.of(node, port, &here);
        let sync = match self.params.sync {
            Sync::Periodic => "",
            Sync::Always => ", sync_interval: always",
        };
        format!(
            "server_name: {node}\nlisten: {}\nhttp: {}\n\
             jetstream {{ store_dir: \"{{data}}/store\", max_mem: 256MB, max_file: 2GB{sync} }}\n\
             cluster {{ name: {}, listen: {}, routes: [{routes}] }}\n",
            own(CLIENT_PORT),
            own(MONITOR_PORT),
            self.site.service,
            own(ROUTE_PORT),
        )
    }

    /// A fresh connection to a server from inside its own node.
    async fn inside(&self, network: &dyn Network, node: &NodeId) -> Result<Wire, SystemError> {
        let doing = format!("connect to {node}");
        let origin = Origin::node(node);
        let access = self.site.access(&Credentials::default());
        let to = network.address(node, CLIENT_PORT);
        match timeout(CALL_TIMEOUT, wire::open(network, &origin, to, &access)).await {
            Ok(Ok((wire, _))) => Ok(wire),
            Ok(Err(source)) => Err(SystemError::Io { doing, source }),
            Err(_) => Err(SystemError::Answer {
                doing,
                why: format!("no answer within {CALL_TIMEOUT:?}"),
            }),
        }
    }

    async fn copies_by(&self, network: &dyn Network, node: &NodeId) -> Result<bool, SystemError> {
        let wire = self.inside(network, node).await?;
        for stream in self.streams().all() {
            let cluster = calls::stream_info(&wire, &stream).await?.cluster;
            let in_step = cluster.replicas.iter().filter(|copy| copy.is_in_step()).count();
            // A stream of one server has no raft group and names no leader.
            let leads = usize::from(self.replicas() == 1 || cluster.leader.is_some());
            if in_step + leads < self.replicas() as usize {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn nobody() -> SystemError {
    SystemError::Answer {
        doing: "find a server".to_owned(),
        why: "the service has none".to_owned(),
    }
}

async fn page(network: &dyn Network, node: &NodeId, path: &str) -> Result<Value, SystemError> {
    ask::page(network, &Origin::node(node), network.address(node, MONITOR_PORT), path).await
}
