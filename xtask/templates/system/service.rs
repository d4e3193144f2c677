//! How the servers run, and what they say of themselves.

use std::sync::Arc;

use async_trait::async_trait;
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Network, Layout, Process, Role, RoleName, Service, Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};

use crate::{CLIENT_PORT, SHARD, not_yet};

/// What a scenario may say of the servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TYPEService {}

impl TYPEService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        let Self {} = self;
        Arc::new(Servers { site: site.clone() })
    }
}

#[derive(Debug)]
struct Servers {
    site: Site,
}

impl Layout for Servers {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let here = at.of(node, CLIENT_PORT, &End::Node(node.clone()));
        let args = vec!["--listen".into(), here];
        let command = Command { program: "NAME".into(), args, ..Command::default() };
        vec![Process { name: "NAME".into(), command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        const { &[RoleName::leads("leader"), RoleName::copies("follower")] }
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![SHARD.into()]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        SHARD.into()
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }
}

#[async_trait]
impl Service for Servers {
    async fn ready(&self, _: &dyn Network) -> Result<(), SystemError> {
        Err(not_yet(format!("reach every node of {}", self.site.service)))
    }

    async fn provision(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Err(not_yet(format!("ask {} for its version", self.site.service)))
    }

    async fn believes(&self, _: &dyn Network, node: &NodeId) -> Result<Vec<Role>, SystemError> {
        Err(not_yet(format!("ask {node} what it is")))
    }

    async fn redundant(&self, _: &dyn Network) -> Result<bool, SystemError> {
        Err(not_yet(format!("ask {} for its copies", self.site.service)))
    }
}
