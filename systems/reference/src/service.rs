//! The service: how its nodes are started, and what each of them says of itself.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    Complaint,
    units::{Size, Time},
    within::{HOUR, MIB, MS, SECOND, TIB, Within},
};
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Process, Role, RoleName, Service, Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};

use crate::{
    client,
    cluster::{CLIENT_PORT, PEER_PORT, probe, shard_id},
    node::{OnFollower, Planted, RaftRole, Status, shard_of},
};

/// Entries that a follower may lack for a moment while readings stream in.
const IN_STEP: u64 = 64;

/// The embedded telemetry service: sharded, replicated by raft to every node, nothing to install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct ReferenceService(Settings);

/// Times are handed to the nodes in milliseconds.
type Millis<const LEAST: u64, const MOST: u64> = Within<Time, LEAST, MOST, MS>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Raft groups that share the work, led from all regions.
    shards: Within<u16, 1, 256>,
    /// Between a leader's heartbeats. It must exceed the longest round trip between nodes.
    heartbeat: Millis<{ 10 * MS }, { 60 * SECOND }>,
    /// Silence of a leader after which an election comes near. A failover takes about three times as long: the lease of the old leader
    /// first, then the successor's own wait.
    election_timeout: Millis<{ 20 * MS }, { 600 * SECOND }>,
    /// How long a node is back before it takes over the shards whose home it is.
    home_after: Millis<0, HOUR>,
    /// What a node does with a reading of a shard that another one leads.
    on_follower: OnFollower,
    /// How long a request waits for somebody to lead before it is refused.
    leader_wait: Millis<0, HOUR>,
    /// After this long the fate of a reading is answered to be unknown.
    request_timeout: Millis<MS, HOUR>,
    /// Readings kept by a node, all in memory; beyond it writes are refused.
    keep: Within<Size, MIB, TIB>,
    /// Defects to plant, each journalled in `planted.jsonl` of the node.
    planted: Planted,
}

impl Default for Settings {
    fn default() -> Self {
        let ms = |ms| Time(Duration::from_millis(ms));
        Self {
            shards: Within::given(12),
            heartbeat: Within::given(ms(300)),
            election_timeout: Within::given(ms(800)),
            home_after: Within::given(ms(3_000)),
            on_follower: OnFollower::Forward,
            leader_wait: Within::given(ms(1_000)),
            request_timeout: Within::given(ms(10_000)),
            keep: Within::given(Size(1 << 30)),
            planted: Planted::default(),
        }
    }
}

/// What the nodes themselves refuse when they start, or would never do.
impl TryFrom<Settings> for ReferenceService {
    type Error = Complaint;

    fn try_from(settings: Settings) -> Result<Self, Complaint> {
        let Settings { shards, heartbeat, election_timeout, planted, .. } = &settings;
        if election_timeout.0 < heartbeat.0 * 2 {
            let wrong = "`election_timeout` is less than twice the `heartbeat`";
            return Err(Complaint::new("range", wrong)
                .help("A follower that misses one heartbeat must not call an election"));
        }
        let dead = planted.dead_shard.filter(|dead| dead.shard >= **shards);
        if let Some(dead) = dead {
            let wrong = format!("`dead_shard` plants a defect in shard {} of {shards}", dead.shard);
            return Err(Complaint::new("range", wrong)
                .help(format!("Shards are numbered from 0 to {}", **shards - 1)));
        }
        Ok(Self(settings))
    }
}

impl ReferenceService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Cluster { params: self.0, site: site.clone() })
    }
}

#[derive(Debug)]
struct Cluster {
    params: Settings,
    site: Site,
}

const LEADER: RoleName = RoleName::leads("leader");
const FOLLOWER: RoleName = RoleName::copies("follower");
const CANDIDATE: RoleName = RoleName::other("candidate");

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let command =
            Command { program: "{self}".into(), args: self.args(node, at), ..Command::default() };
        vec![Process { name: "reference".into(), command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("peer", PEER_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER, CANDIDATE]
    }

    fn shards(&self) -> Vec<ShardId> {
        (0..*self.params.shards).map(shard_id).collect()
    }

    fn shard_of(&self, asset: u32, _stream: u16) -> ShardId {
        shard_id(shard_of(asset, *self.params.shards))
    }

    fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value: Duration, bounds_failover| Timer {
            name: name.into(),
            value,
            bounds_failover,
        };
        vec![
            timer("heartbeat", self.params.heartbeat.0, false),
            timer("election_timeout", self.params.election_timeout.0, true),
            timer("home_after", self.params.home_after.0, false),
        ]
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every node knows a leader of every shard, and its copies are in step.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        match self.trouble(network).await? {
            None => Ok(()),
            Some(why) => {
                Err(SystemError::Answer { doing: format!("start {}", self.site.service), why })
            }
        }
    }

    /// Nothing: shards are founded by their homes.
    async fn provision(&self, _ground: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let mut versions = BTreeSet::new();
        for node in self.site.nodes() {
            let answer = probe(network, node, "/v1/version").await?;
            let version: serde_json::Value =
                client::json(&answer).map_err(|error| unreadable(node, &error))?;
            versions.insert(version["version"].as_str().unwrap_or("of no version").to_owned());
        }
        Ok(format!("reference {}", versions.into_iter().collect::<Vec<_>>().join(" and ")))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let status = self.status(network, node).await?;
        let role = |shard: crate::node::ShardStatus| Role {
            shard: shard_id(shard.shard),
            role: named(shard.role),
            term: shard.term,
        };
        Ok(status.shards.into_iter().map(role).collect())
    }

    /// A node that does not answer, a broken link between two, or a copy that lags is a copy too few.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(matches!(self.trouble(network).await, Ok(None)))
    }
}

impl Cluster {
    fn args(&self, node: &NodeId, at: &dyn Addresses) -> Vec<String> {
        let here = End::Node(node.clone());
        let peer = |node: &NodeId| {
            let nodes = &self.site.topology.nodes;
            let region = &nodes.get(node).expect("a node of the service is in the topology").region;
            format!("{node}={}@{region}", at.of(node, PEER_PORT, &here))
        };
        let peers: Vec<String> = self.site.nodes().map(peer).collect();
        let params = &self.params;
        let ms = |time: Time| time.0.as_millis().to_string();
        let on_follower = match params.on_follower {
            OnFollower::Forward => "forward",
            OnFollower::Redirect => "redirect",
        };
        let flags = [
            ("id", node.to_string()),
            ("listen", at.of(node, CLIENT_PORT, &here)),
            ("peer-listen", at.of(node, PEER_PORT, &here)),
            ("peers", peers.join(",")),
            ("data", "{data}/reference".into()),
            ("shards", params.shards.to_string()),
            ("heartbeat-ms", ms(*params.heartbeat)),
            ("election-ms", ms(*params.election_timeout)),
            ("home-after-ms", ms(*params.home_after)),
            ("on-follower", on_follower.into()),
            ("leader-wait-ms", ms(*params.leader_wait)),
            ("request-timeout-ms", ms(*params.request_timeout)),
            ("keep-bytes", params.keep.0.to_string()),
            ("planted", serde_json::to_string(&params.planted).expect("plain data")),
            ("seed", self.site.seed.to_string()),
        ];
        let flags = flags.into_iter().map(|(flag, value)| format!("--{flag}={value}"));
        ["reference".to_owned(), "node".to_owned()].into_iter().chain(flags).collect()
    }

    async fn status(&self, network: &dyn Network, node: &NodeId) -> Result<Status, SystemError> {
        let answer = probe(network, node, "/v1/status").await?;
        client::json(&answer).map_err(|error| unreadable(node, &error))
    }

    /// What keeps the cluster from being whole.
    async fn trouble(&self, network: &dyn Network) -> Result<Option<String>, SystemError> {
        let mut all = vec![];
        for node in self.site.nodes() {
            all.push(self.status(network, node).await?);
        }
        Ok(all.iter().find_map(|status| lacking(status, &all[0])))
    }
}

fn named(role: RaftRole) -> RoleName {
    match role {
        RaftRole::Leader => LEADER,
        RaftRole::Follower => FOLLOWER,
        RaftRole::Candidate => CANDIDATE,
    }
}

/// What keeps a node from being in step with the one asked first.
fn lacking(status: &Status, first: &Status) -> Option<String> {
    let node = &status.node;
    if let Some((peer, _)) = status.peers.iter().find(|(_, up)| !**up) {
        return Some(format!("{node} has no link to {peer}"));
    }
    status.shards.iter().zip(&first.shards).find_map(|(shard, other)| {
        let number = shard.shard;
        if shard.leader.is_none() || (&shard.leader, shard.term) != (&other.leader, other.term) {
            return Some(format!(
                "{node} and {} do not follow the same leader of s{number}",
                first.node
            ));
        }
        let behind = shard.behind.iter().find(|(_, lacks)| **lacks > IN_STEP);
        behind.map(|(peer, lacks)| format!("{peer} lacks {lacks} entries of s{number}"))
    })
}

fn unreadable(node: &NodeId, error: &client::ClientError) -> SystemError {
    SystemError::Answer { doing: format!("understand {node}"), why: error.to_string() }
}
