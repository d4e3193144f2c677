//! The service `patroni`: a primary and its standbys, which Patroni holds together by a lock in an etcd of the same stack.
//!
//! Roles and timelines are asked of PostgreSQL itself, since it may serve when its Patroni does not. `settings` is what a scenario may
//! say, `config` is the file that comes of it, `members` is what Patroni says of the cluster.

use std::sync::Arc;

use async_trait::async_trait;
use model::{NodeId, ShardId};
use seams::{
    Addresses, Layout, Network, Objection, Process, Role, RoleName, Service, Site, SystemError,
    Timer, servers::Requirement,
};

use crate::{
    REST_PORT, SHARD, SQL_PORT, http,
    inside::{self, Standing},
    table,
};

mod config;
mod members;
mod settings;

pub use settings::PatroniService;

impl PatroniService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Cluster { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Cluster {
    params: PatroniService,
    site: Site,
}

const PRIMARY: RoleName = RoleName::leads("primary");
const REPLICA: RoleName = RoleName::copies("replica");
const SYNC_STANDBY: RoleName = RoleName::copies("sync_standby");

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        vec![config::process(self.params.settings(), &self.site, node, at)]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("sql", SQL_PORT), ("rest", REST_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[PRIMARY, REPLICA, SYNC_STANDBY]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![ShardId::from(SHARD)]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        ShardId::from(SHARD)
    }

    fn timers(&self) -> Vec<Timer> {
        self.params.timers()
    }

    fn requirements(&self) -> Vec<Requirement> {
        self.params.requirements()
    }

    fn check(&self) -> Vec<Objection> {
        if !self.params.waits_for_a_copy() || self.site.nodes().count() > 1 {
            return vec![];
        }
        let message = "an ack waits for a standby, and there is only one node";
        let help = "Give it a second node, or write `replication: async`";
        vec![Objection::new("replication", message).help(help)]
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every member's Patroni names the same members, all of them serve, and PostgreSQL says so too.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let nodes: Vec<&NodeId> = self.site.nodes().collect();
        let waits = self.params.waits_for_a_copy();
        for node in &nodes {
            let (_, cluster) = http::get(network, node, "/cluster").await?;
            if let Some(why) = members::trouble(&cluster, nodes.len(), waits) {
                return Err(SystemError::Answer {
                    doing: format!("find {node}'s cluster whole"),
                    why,
                });
            }
        }
        if self.redundant(network).await? {
            return Ok(());
        }
        Err(SystemError::Answer {
            doing: "find every copy streaming".to_owned(),
            why: "the primary says that some are not".to_owned(),
        })
    }

    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let (primary, _) = self.primary(network).await?;
        let statements = table::create(self.params.table());
        inside::run(network, &self.site, &primary, "make the table", &statements).await
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let (primary, _) = self.primary(network).await?;
        let postgres = inside::version(network, &self.site, &primary).await?;
        let (_, said) = http::get(network, &primary, "/patroni").await?;
        let patroni = said["patroni"]["version"].as_str().unwrap_or("of an unknown version");
        Ok(format!("PostgreSQL {postgres} under Patroni {patroni}"))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let standing = inside::standing(network, &self.site, node).await?;
        let role = match standing.in_recovery {
            false => PRIMARY,
            true if self.params.waits_for_a_copy() && is_waited_for(network, node).await => {
                SYNC_STANDBY
            }
            true => REPLICA,
        };
        Ok(vec![Role { shard: ShardId::from(SHARD), role, term: standing.timeline }])
    }

    /// All other members stream from the primary, and it waits for one of them where it should.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let (_, standing) = self.primary(network).await?;
        let copies = self.site.nodes().count() - 1;
        let confirmed = !self.params.waits_for_a_copy() || standing.waited_for > 0;
        Ok(confirmed && standing.streaming as usize >= copies)
    }
}

impl Cluster {
    /// The primary on the highest timeline, as the nodes themselves say.
    async fn primary(&self, network: &dyn Network) -> Result<(NodeId, Standing), SystemError> {
        let mut highest: Option<(NodeId, Standing)> = None;
        for node in self.site.nodes() {
            let Ok(standing) = inside::standing(network, &self.site, node).await else { continue };
            let leads = !standing.in_recovery;
            let above = |(_, other): &(NodeId, Standing)| other.timeline < standing.timeline;
            if leads && highest.as_ref().is_none_or(above) {
                highest = Some((node.clone(), standing));
            }
        }
        highest.ok_or_else(|| SystemError::Answer {
            doing: "find the primary".to_owned(),
            why: "no server says that it is".to_owned(),
        })
    }
}

/// What Patroni says; a server without one is an ordinary copy.
async fn is_waited_for(network: &dyn Network, node: &NodeId) -> bool {
    http::get(network, node, "/synchronous").await.is_ok_and(|(status, _)| status == 200)
}
