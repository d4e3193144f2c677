//! One process per node.

use async_trait::async_trait;
use model::{NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Process, Role, RoleName, Service, Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};

use super::line;

const PORT: u16 = 7301;

/// Nothing to choose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {}

#[derive(Debug)]
pub(crate) struct Locks {
    pub(crate) site: Site,
}

impl Layout for Locks {
    fn processes(&self, _: &NodeId, _: &dyn Addresses) -> Vec<Process> {
        let args = vec!["toy-lock".to_owned(), PORT.to_string()];
        let command = Command { program: "{self}".into(), args, ..Command::default() };
        vec![Process { name: "lock".to_owned(), command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![]
    }

    fn shard_of(&self, _: u32, _: u16) -> ShardId {
        "locks".into()
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }
}

#[async_trait]
impl Service for Locks {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        for node in self.site.nodes() {
            line(network, node, PORT).await?;
        }
        Ok(())
    }

    async fn provision(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Ok("toy".to_owned())
    }

    async fn believes(&self, _: &dyn Network, _: &NodeId) -> Result<Vec<Role>, SystemError> {
        Ok(vec![])
    }

    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(self.ready(network).await.is_ok())
    }
}
