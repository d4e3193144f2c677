//! A service that needs another one, and cannot be on any number of nodes.

use async_trait::async_trait;
use model::{NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Layout, Network, Objection, Process, Role, RoleName, Service, ServiceRef,
    SystemError, Timer, secure::Secret,
};
use serde::{Deserialize, Serialize};

/// Lives beside a store, or on its nodes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registry {
    /// Where it keeps who leads.
    #[serde(default)]
    #[schemars(extend("endpoint" = "client"))]
    store: Option<ServiceRef>,
    /// Registries that it copies from.
    #[serde(default)]
    copies: Vec<ServiceRef>,
    /// Nodes that must have a write.
    #[serde(default)]
    synchronous: u32,
    /// Of whoever registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
    #[serde(skip)]
    nodes: u32,
}

impl Registry {
    pub(crate) fn on(self, nodes: usize) -> Self {
        Self { nodes: u32::try_from(nodes).unwrap_or(u32::MAX), ..self }
    }
}

impl Layout for Registry {
    fn processes(&self, _: &NodeId, _: &dyn Addresses) -> Vec<Process> {
        vec![]
    }
    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("rest", 8008), ("sql", 5432)]
    }
    fn roles(&self) -> &'static [RoleName] {
        const { &[RoleName::leads("primary"), RoleName::copies("replica")] }
    }
    fn shards(&self) -> Vec<ShardId> {
        vec!["registry".into()]
    }
    fn shard_of(&self, _: u32, _: u16) -> ShardId {
        "registry".into()
    }
    fn timers(&self) -> Vec<Timer> {
        vec![]
    }
    fn check(&self) -> Vec<Objection> {
        let Self { synchronous, nodes, .. } = self;
        let message = format!("{synchronous} nodes must have a write, and there are {nodes}");
        let objection = Objection::new("synchronous", message).help("At most as many as nodes");
        if synchronous > nodes { vec![objection] } else { vec![] }
    }
}

#[async_trait]
impl Service for Registry {
    async fn ready(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }
    async fn provision(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }
    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Ok("1".into())
    }
    async fn believes(&self, _: &dyn Network, _: &NodeId) -> Result<Vec<Role>, SystemError> {
        Ok(vec![])
    }
    async fn redundant(&self, _: &dyn Network) -> Result<bool, SystemError> {
        Ok(true)
    }
}
