//! The simulated service: a replicated log per shard.

use std::time::Duration;

use async_trait::async_trait;
use document::{
    units::Time,
    within::{MINUTE, MS, Within},
};
use model::{NodeId, NodeState, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Layout, Network, Process, Role, RoleName, Service, Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    lab::Memory,
    message::{CLIENT_PORT, PEER_PORT, PROCESS},
    raft,
};

/// A replicated log per shard, one copy on each node of the service.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceParams {
    /// An asset belongs to the shard of its number, modulo this.
    #[serde(default = "twelve")]
    pub shards: Within<u16, 1, 256>,
    /// A copy that hears no leader for one to two times this long asks for votes.
    #[serde(default = "one_second")]
    pub election_timeout: ElectionTimeout,
}

/// Heartbeats are a tenth of it: shorter ones would only cost time.
type ElectionTimeout = Within<Time, { 100 * MS }, { 10 * MINUTE }>;

fn twelve() -> Within<u16, 1, 256> {
    Within::given(12)
}

fn one_second() -> ElectionTimeout {
    Within::given(Time(Duration::from_secs(1)))
}

#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) params: ServiceParams,
    pub(crate) site: Site,
}

const LEADER: RoleName = RoleName::leads("leader");
const FOLLOWER: RoleName = RoleName::copies("follower");
const CANDIDATE: RoleName = RoleName::other("candidate");

impl Layout for Logs {
    /// Nothing is executed: the name stands for the simulated process.
    fn processes(&self, _: &NodeId, _: &dyn Addresses) -> Vec<Process> {
        vec![Process { name: PROCESS.to_owned(), ..Default::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("peer", PEER_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER, CANDIDATE]
    }

    fn shards(&self) -> Vec<ShardId> {
        (0..*self.params.shards).map(|number| ShardId::from(format!("s{number}"))).collect()
    }

    fn shard_of(&self, asset: u32, _stream: u16) -> ShardId {
        ShardId::from(format!("s{}", asset % u32::from(*self.params.shards)))
    }

    fn timers(&self) -> Vec<Timer> {
        vec![Timer {
            name: "election_timeout".to_owned(),
            value: self.params.election_timeout.0,
            bounds_failover: true,
        }]
    }
}

#[async_trait]
impl Service for Logs {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let memory = memory(network, "ask whether nodes are up")?;
        let world = memory.world();
        match self.site.nodes().find(|node| world.serving(node) != NodeState::Up) {
            None => Ok(()),
            Some(node) => Err(SystemError::Answer {
                doing: format!("ask {node} whether it is up"),
                why: "it is not".to_owned(),
            }),
        }
    }

    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let memory = memory(network, "make shards")?;
        memory.stir(|world, now| {
            world.found(&self.site.service, &self.shards(), self.params.election_timeout.0, now)
        });
        Ok(())
    }

    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Ok(format!("pretend {} (simulated)", env!("CARGO_PKG_VERSION")))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let doing = "ask a node for its roles";
        let memory = memory(network, doing)?;
        let world = memory.world();
        if world.serving(node) != NodeState::Up {
            return Err(SystemError::Answer {
                doing: doing.to_owned(),
                why: format!("{node} does not answer"),
            });
        }
        let groups = world.groups.iter().filter(|group| group.service == self.site.service);
        let roles = groups.filter_map(|group| {
            let replica = &group.replicas[group.copy_of(node)?];
            Some(Role { shard: group.shard.clone(), role: named(replica.role), term: replica.term })
        });
        Ok(roles.collect())
    }

    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let memory = memory(network, "ask whether copies are up to date")?;
        let world = memory.world();
        let up = self.site.nodes().all(|node| world.serving(node) == NodeState::Up);
        let mut groups = world.groups.iter().filter(|group| group.service == self.site.service);
        let now = Instant::now();
        Ok(up
            && groups.all(|group| {
                group.leader().is_some_and(|leader| group.replicas[leader].redundant(now))
            }))
    }
}

fn named(role: raft::Role) -> RoleName {
    match role {
        raft::Role::Leader => LEADER,
        raft::Role::Follower => FOLLOWER,
        raft::Role::Hopeful | raft::Role::Candidate => CANDIDATE,
    }
}

pub(crate) fn memory(network: &dyn Network, doing: &str) -> Result<Memory, SystemError> {
    let why = || SystemError::Answer {
        doing: doing.to_owned(),
        why: "the `pretend` system runs in the `pretend` lab only".to_owned(),
    };
    Memory::of(network).ok_or_else(why)
}
