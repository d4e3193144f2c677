//! The service: which programs a node runs, and what each server and sentinel says. Every probe is made inside the asked node.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId};
use redis::{FromRedisValue, cmd};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer,
    servers::{Requirement, Versions},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, GROUP, SENTINEL_PORT, SERVER_PORT, SHARD, config,
    leader::{self, field},
    link::{self, answered},
    settings::Settings,
};

/// Redis servers under Sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RedisService(Settings);

impl RedisService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Servers { settings: self.0, site: site.clone() })
    }
}

#[derive(Debug)]
struct Servers {
    settings: Settings,
    site: Site,
}

const MASTER: RoleName = RoleName::leads("master");
const REPLICA: RoleName = RoleName::copies("replica");

impl Layout for Servers {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let process = |name: &str, program: &PathBuf, file: &str, content: String| Process {
            name: name.to_owned(),
            files: [(file.to_owned(), content)].into(),
            command: Command {
                program: program.clone(),
                args: vec![format!("{{data}}/{file}")],
                ..Command::default()
            },
            ..Process::default()
        };
        let Self { settings, site } = self;
        vec![
            process(
                "redis",
                &settings.program,
                "redis.conf",
                config::server(settings, site, node, at),
            ),
            process(
                "sentinel",
                &settings.sentinel,
                "sentinel.conf",
                config::sentinel(settings, site, node, at),
            ),
        ]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("server", SERVER_PORT), ("sentinel", SENTINEL_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[MASTER, REPLICA]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![ShardId::from(SHARD)]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        ShardId::from(SHARD)
    }

    fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value: Duration, bounds_failover| Timer {
            name: name.to_owned(),
            value,
            bounds_failover,
        };
        vec![
            timer("down-after-milliseconds", self.settings.down_after.0, true),
            timer("failover-timeout", self.settings.failover_timeout.0, false),
        ]
    }

    fn check(&self) -> Vec<Objection> {
        let (asked, others) = (
            *self.settings.min_replicas_to_write as usize,
            self.site.nodes().count().saturating_sub(1),
        );
        if asked <= others {
            return vec![];
        }
        let message = format!(
            "`min_replicas_to_write` is {asked}, and a master of this service has {others} replicas"
        );
        vec![Objection::new("min_replicas_to_write", message).help(format!("At most {others}"))]
    }

    fn requirements(&self) -> Vec<Requirement> {
        let versions = Versions { ask: &["--version"], from: (7, 0), to: (7, 0) };
        let Settings { program, sentinel, .. } = &self.settings;
        vec![
            Requirement::program(program.clone(), "redis").with_versions(versions),
            Requirement::program(sentinel.clone(), "redis"),
        ]
    }
}

#[async_trait]
impl Service for Servers {
    /// Every sentinel knows all the others and all replicas, and the master has them all in step.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let others = self.site.nodes().count() - 1;
        let mut masters = BTreeSet::new();
        for node in self.site.nodes() {
            let doing = format!("ask the sentinel of {node} for the master");
            let of_master = cmd("SENTINEL").arg("MASTER").arg(GROUP).clone();
            let said: Vec<String> = ask(network, node, SENTINEL_PORT, &of_master, &doing).await?;
            for known in ["num-other-sentinels", "num-slaves"] {
                if field(&said, known) != Some(others.to_string().as_str()) {
                    let why =
                        format!("{known} is {} of {others}", field(&said, known).unwrap_or("0"));
                    return Err(SystemError::Answer { doing, why });
                }
            }
            masters.insert(field(&said, "ip").map(ToOwned::to_owned));
        }
        if masters.len() == 1 && self.redundant(network).await? {
            return Ok(());
        }
        let doing = "find the master with its replicas".to_owned();
        Err(SystemError::Answer { doing, why: "they are not in step yet".to_owned() })
    }

    /// Nothing: a stream begins with its first entry.
    async fn provision(&self, _network: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let mut versions = BTreeSet::new();
        for node in self.site.nodes() {
            let said = info(network, node, "server").await?;
            versions.insert(line(&said, "redis_version").unwrap_or("unknown").to_owned());
        }
        Ok(format!("redis {}", versions.into_iter().collect::<Vec<_>>().join(" and ")))
    }

    /// The term is the epoch in which the node's own sentinel knows the master: one that is cut off stays in an old one.
    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let said = info(network, node, "replication").await?;
        let role = if line(&said, "role") == Some("master") { MASTER } else { REPLICA };
        let term = epoch(network, node).await;
        let doing = format!("ask the sentinel of {node} for its epoch");
        let term = term.ok_or(SystemError::Answer { doing, why: "no answer".to_owned() })?;
        Ok(vec![Role { shard: ShardId::from(SHARD), role, term }])
    }

    /// By the word of the master with the highest epoch: every other server is connected and has all but the last second.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let others = self.site.nodes().count() - 1;
        let mut best = None;
        for node in self.site.nodes() {
            let Ok(said) = info(network, node, "replication").await else { continue };
            if line(&said, "role") != Some("master") {
                continue;
            }
            let epoch = epoch(network, node).await.unwrap_or(0);
            if best.as_ref().is_none_or(|(highest, _)| *highest < epoch) {
                best = Some((epoch, said));
            }
        }
        let Some((_, said)) = best else { return Ok(false) };
        let replicas =
            said.lines().filter(|line| line.starts_with("slave") && line.contains("state=online"));
        let in_step = replicas.filter(|replica| {
            let lag = replica.split("lag=").nth(1).and_then(|lag| lag.trim().parse::<u32>().ok());
            lag.is_some_and(|lag| lag <= 1)
        });
        Ok(in_step.count() == others)
    }
}

/// In which the sentinel of a node knows the master; None where it does not say.
async fn epoch(network: &dyn Network, node: &NodeId) -> Option<u64> {
    let origin = Origin::node(node);
    timeout(CALL_TIMEOUT, leader::epoch(network, &origin, node)).await.ok().flatten()
}

/// One question to a server or sentinel, from inside its node.
async fn ask<T: FromRedisValue>(
    network: &dyn Network,
    node: &NodeId,
    port: u16,
    command: &redis::Cmd,
    doing: &str,
) -> Result<T, SystemError> {
    let origin = Origin::node(node);
    let opening = link::open(network, &origin, network.address(node, port));
    let opened = timeout(CALL_TIMEOUT, opening).await;
    let failed = |why: String| SystemError::Answer { doing: doing.to_owned(), why };
    let (link, _task) = opened
        .map_err(|_| failed(format!("no answer within {CALL_TIMEOUT:?}")))?
        .map_err(|error| failed(error.to_string()))?;
    answered(doing, link.ask(command)).await
}

async fn info(network: &dyn Network, node: &NodeId, section: &str) -> Result<String, SystemError> {
    let doing = format!("ask {node} for its {section}");
    ask(network, node, SERVER_PORT, &cmd("INFO").arg(section).clone(), &doing).await
}

/// The value behind `name:`.
fn line<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
