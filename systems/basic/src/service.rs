//! The service: `wetdress sink` on each node.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use document::within::Within;
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Process, Role, RoleName, Service, Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};

use crate::{PORT, SHARD, client::probe};

/// The server `wetdress sink` on each node. **Every node stands alone**: nothing is replicated, everything lies in memory, and what a
/// node received is gone when its process ends. So it shows what a network does to acks; a node that is killed loses what it acked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SinkService {
    /// Readings that a node keeps to be read back, 40 bytes each. Beyond it the oldest are forgotten, and a read-back says that it failed.
    keep: Within<u32, 1, 1_000_000_000>,
}

impl Default for SinkService {
    fn default() -> Self {
        Self { keep: Within::given(4_000_000) }
    }
}

impl SinkService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Sinks { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sinks {
    params: SinkService,
    site: Site,
}

impl Layout for Sinks {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let listen = at.of(node, PORT, &End::Node(node.clone()));
        let args = ["sink", "--json", "--listen", &listen, "--keep", &self.params.keep.to_string()];
        let args = args.map(str::to_owned).into();
        let command = Command { program: "{self}".into(), args, ..Command::default() };
        vec![Process { name: "sink".into(), command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", PORT)]
    }

    /// Nobody leads and nobody follows.
    fn roles(&self) -> &'static [RoleName] {
        &[]
    }

    /// One: which node takes a reading is the fleet's choice, and positions of all nodes can be compared.
    fn shards(&self) -> Vec<ShardId> {
        vec![SHARD.into()]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        SHARD.into()
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }

    fn ready_within(&self) -> Duration {
        Duration::from_secs(30)
    }
}

#[async_trait]
impl Service for Sinks {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        for node in self.site.nodes() {
            probe(network, node, "/health").await?;
        }
        Ok(())
    }

    /// Nothing.
    async fn provision(&self, _network: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let Some(node) = self.site.nodes().next() else { return Ok("sink".into()) };
        let answer = probe(network, node, "/health").await?;
        let health: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        Ok(format!("sink {}", health["version"].as_str().unwrap_or("of no version")))
    }

    async fn believes(
        &self,
        _network: &dyn Network,
        _node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        Ok(vec![])
    }

    /// There is one copy of each reading, and it is up to date where its node answers.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(self.ready(network).await.is_ok())
    }
}
