//! The service `kafka-controllers`: the quorum apart from the brokers, so that one of them can be lost without the other.

use std::sync::Arc;

use async_trait::async_trait;
use model::{NodeId, ShardId};
use seams::{
    Addresses, Layout, Network, Process, Role, RoleName, Service, Site, SystemError, Timer,
    secure::Credentials, servers::Requirement,
};

use crate::{
    CONTROLLER_PORT, METADATA_SHARD,
    login::{Door, Sasl},
    program::{self, Program, READY_WITHIN},
    properties,
    quorum::{self, nobody},
    settings::KafkaControllers,
};

impl KafkaControllers {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Quorum { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Quorum {
    params: KafkaControllers,
    site: Site,
}

pub(crate) const CONTROLLER: RoleName = RoleName::leads("controller");
const VOTER: RoleName = RoleName::copies("voter");

impl Layout for Quorum {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let KafkaControllers { version, timers, heap, eligible_leader_replicas } = &self.params;
        let program = Program {
            version,
            heap: *heap,
            cluster: properties::cluster_id(self.site.run),
            eligible_leader_replicas: *eligible_leader_replicas,
        };
        vec![program.process(properties::controller(*timers, &self.site, node, at), None)]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("controller", CONTROLLER_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[CONTROLLER, VOTER]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![METADATA_SHARD.into()]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        METADATA_SHARD.into()
    }

    fn timers(&self) -> Vec<Timer> {
        program::timers(self.params.timers, properties::FETCH_TIMEOUT)
    }

    fn ready_within(&self) -> std::time::Duration {
        READY_WITHIN
    }

    fn requirements(&self) -> Vec<Requirement> {
        program::requirements(&self.params.version)
    }
}

#[async_trait]
impl Service for Quorum {
    /// Every controller answers, and one of them is active.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        quorum::active(network, &quorum::apart(&self.site), &self.door()).await.map(|_| ())
    }

    async fn provision(&self, _network: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    /// Controllers tell features only when brokers have settled on them.
    async fn version(&self, _network: &dyn Network) -> Result<String, SystemError> {
        Ok(format!("Kafka {}, controllers", self.params.version))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let voters = quorum::apart(&self.site);
        voters.iter().find(|(_, name)| name == node).ok_or_else(|| nobody(node.as_str()))?;
        let shard = METADATA_SHARD.into();
        Ok(vec![match quorum::epoch(network, node, &self.door()).await? {
            Some(term) => Role { shard, role: CONTROLLER, term },
            None => Role { shard, role: VOTER, term: 0 },
        }])
    }

    /// Every controller answers, and one of them is active; how far the others are behind is not asked.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(quorum::active(network, &quorum::apart(&self.site), &self.door()).await.is_ok())
    }
}

impl Quorum {
    fn door(&self) -> Door {
        Door::of(&self.site, &Credentials::default(), Sasl::default())
    }
}
