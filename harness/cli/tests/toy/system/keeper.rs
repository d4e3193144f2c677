//! Two processes per node: one asks the locks of another service, one says what came of it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Process, Restart, Role, RoleName, Service, ServiceRef,
    Site, SystemError, Timer,
};
use serde::{Deserialize, Serialize};

use super::line;

const PORT: u16 = 7302;
const SHARD: &str = "keeper";
const PRIMARY: RoleName = RoleName::leads("primary");
const REPLICA: RoleName = RoleName::copies("replica");

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Who is asked for locks.
    #[schemars(extend("endpoint" = "client"))]
    locks: ServiceRef,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) params: Params,
    pub(crate) site: Site,
}

impl Layout for Keeper {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let here = End::Node(node.clone());
        let locks = self.site.endpoints(&self.params.locks.0, "client").into_iter();
        let locks = locks.map(|(node, port)| format!("{node} {}\n", at.of(&node, port, &here)));
        let run = |args: &[&str]| Command {
            program: "{self}".into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..Command::default()
        };
        let watch = Process {
            name: "watch".to_owned(),
            files: BTreeMap::from([("locks".to_owned(), locks.collect())]),
            command: run(&["toy-watch", node.as_str(), "{data}/locks", "{data}/role"]),
            restart: Restart::OnFailure { wait: Duration::from_millis(50) },
            ..Process::default()
        };
        let page = Process {
            name: "page".to_owned(),
            command: run(&["toy-page", &PORT.to_string(), "{data}/role"]),
            ..Process::default()
        };
        vec![watch, page]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("page", PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[PRIMARY, REPLICA]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![SHARD.into()]
    }

    fn shard_of(&self, _: u32, _: u16) -> ShardId {
        SHARD.into()
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }
}

#[async_trait]
impl Service for Keeper {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        for node in self.site.nodes() {
            self.believes(network, node).await?;
        }
        Ok(())
    }

    async fn provision(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Ok("toy".to_owned())
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let said = line(network, node, PORT).await?;
        let role = said.split_once(' ').and_then(|(word, term)| {
            let role = self.roles().iter().find(|role| role.name == word)?;
            Some(Role { shard: SHARD.into(), role: *role, term: term.parse().ok()? })
        });
        let why = format!("it says `{said}`");
        let role = role.ok_or(SystemError::Answer { doing: format!("ask {node}"), why })?;
        Ok(vec![role])
    }

    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(self.ready(network).await.is_ok())
    }
}
