//! The service `kafka`: KRaft brokers, which are controllers too unless the cluster has some apart, and what each says of itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId};
use seams::{
    Addresses, Layout, Network, Objection, Process, Role, RoleName, Service, Site, SystemError,
    Timer,
    secure::{Credentials, Secured},
    servers::Requirement,
};

use crate::{
    CLIENT_PORT, CONTROLLER_PORT, METADATA_SHARD,
    calls::{self, answered},
    controllers::CONTROLLER,
    lock::Lock,
    login::{Door, Sasl},
    program::{self, Program, READY_WITHIN},
    properties,
    quorum::{self, Voter, inside, nobody},
    settings::{FirstLeaders, KafkaService, Settings},
    topic::{self, View},
};

/// Between two looks at a topic that is being made.
const PAUSE: Duration = Duration::from_millis(100);

impl KafkaService {
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

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let Settings { version, heap, eligible_leader_replicas, .. } = &self.params;
        let program = Program {
            version,
            heap: *heap,
            cluster: properties::cluster_id(self.site.run),
            eligible_leader_replicas: *eligible_leader_replicas,
        };
        let lock = self.params.secured.as_ref();
        let lock = lock.map(|secured| Lock::of(secured, &self.site, node));
        vec![program.process(properties::server(&self.params, &self.site, node, at), lock)]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        match self.params.controllers {
            None => &[("client", CLIENT_PORT), ("controller", CONTROLLER_PORT)],
            Some(_) => &[("client", CLIENT_PORT)],
        }
    }

    fn roles(&self) -> &'static [RoleName] {
        match self.params.controllers {
            None => &[LEADER, FOLLOWER, CONTROLLER],
            Some(_) => &[LEADER, FOLLOWER],
        }
    }

    fn shards(&self) -> Vec<ShardId> {
        let topic = &self.params.topic;
        (0..self.partitions()).map(|partition| topic::shard(&topic.name, partition)).collect()
    }

    fn shard_of(&self, asset: u32, _stream: u16) -> ShardId {
        let topic = &self.params.topic;
        topic::shard(&topic.name, topic::partition_of(asset, (*topic.partitions).into()))
    }

    fn timers(&self) -> Vec<Timer> {
        program::timers(self.params.timers, properties::SESSION_TIMEOUT)
    }

    fn ready_within(&self) -> Duration {
        READY_WITHIN
    }

    fn requirements(&self) -> Vec<Requirement> {
        program::requirements(&self.params.version)
    }

    fn secured(&self) -> Option<&Secured> {
        self.params.secured.as_ref()
    }

    fn check(&self) -> Vec<Objection> {
        let (nodes, replicas) =
            (self.site.nodes().count(), usize::from(*self.params.topic.replicas));
        let mut objections = vec![];
        if replicas > nodes {
            let message = format!("a topic with {replicas} replicas on {nodes} nodes");
            let help =
                format!("A node holds one replica of a partition: at most {nodes}, or more nodes");
            objections.push(Objection::new("topic.replicas", message).help(help));
        }
        if self.params.controllers.is_some()
            && self.params.topic.first_leaders != FirstLeaders::Spread
        {
            let message = "leaders placed by the controller, which is on no node of the brokers";
            let help = "Write `spread`, or leave `controllers` out";
            objections.push(
                Objection::new("topic.first_leaders", message.to_owned()).help(help.to_owned()),
            );
        }
        if self.params.controllers.is_some() && self.params.secured.is_some() {
            let message = "secured brokers whose controllers are apart are not in this version";
            let help = "Leave `controllers` out, or `secured`";
            objections.push(Objection::new("secured", message.to_owned()).help(help.to_owned()));
        }
        objections
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every broker knows all brokers, and one of the controllers is the active one.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        self.views(network).await?;
        quorum::active(network, &self.voters(), &self.door()).await.map(|_| ())
    }

    /// Makes the topic, and waits until every broker knows who leads it.
    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let voters = self.voters();
        let (controller, at) = quorum::active(network, &voters, &self.door()).await?;
        // Any broker hands it to the controller; one that is the controller need not.
        let node = self.site.nodes().find(|node| *node == at).or_else(|| self.site.nodes().next());
        let node = node.ok_or_else(|| nobody("a broker"))?;
        let wire = inside(network, node, CLIENT_PORT, &self.door()).await?;
        let topic = &self.params.topic;
        let min_insync = ("min.insync.replicas", topic.min_insync.to_string());
        let placed = self.placed(*controller);
        answered(
            || format!("create the topic {}", topic.name),
            calls::create(&wire, &topic.name, &placed, &[min_insync]),
        )
        .await?;
        let whole = |view: &View| view.is_whole(placed.len(), (*topic.replicas).into());
        while !self.views(network).await?.iter().all(whole) {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Kafka does not say its version on the wire, only the features that the cluster has settled on.
    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let node = self.site.nodes().next().ok_or_else(|| nobody("a broker"))?;
        let wire = inside(network, node, CLIENT_PORT, &self.door()).await?;
        let features =
            answered(|| format!("ask {node} for its features"), calls::features(&wire)).await?;
        let said: Vec<String> =
            features.into_iter().map(|(name, level)| format!("{name} {level}")).collect();
        Ok(format!("Kafka {} ({})", self.params.version, said.join(", ")))
    }

    /// Each broker's own view of the partitions, and each controller's of itself.
    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let broker = topic::brokers(&self.site).find(|(_, name)| *name == node);
        let (broker, _) = broker.ok_or_else(|| nobody(node.as_str()))?;
        let view = self.view(network, node).await?;
        let roles = view.partitions.iter().filter_map(|(partition, known)| {
            let role = match known.leader == Some(broker) {
                true => LEADER,
                false if known.replicas.contains(&broker) => FOLLOWER,
                false => return None,
            };
            let shard = topic::shard(&self.params.topic.name, *partition);
            Some(Role { shard, role, term: u64::try_from(known.epoch).unwrap_or(0) })
        });
        let mut roles: Vec<Role> = roles.collect();
        if self.params.controllers.is_none()
            && let Some(term) = quorum::epoch(network, node, &self.door()).await?
        {
            roles.push(Role { shard: METADATA_SHARD.into(), role: CONTROLLER, term });
        }
        Ok(roles)
    }

    /// Every replica of every partition is in sync, as the highest leader epoch has it. A broker that does not answer is a copy too few.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let newest = View::newest(self.views(network).await?);
        let replicas = usize::from(*self.params.topic.replicas);
        Ok(newest.is_whole((*self.params.topic.partitions).into(), replicas))
    }
}

impl Cluster {
    fn partitions(&self) -> i32 {
        i32::from(*self.params.topic.partitions)
    }

    async fn view(&self, network: &dyn Network, node: &NodeId) -> Result<View, SystemError> {
        let wire = inside(network, node, CLIENT_PORT, &self.door()).await?;
        let topic = &self.params.topic.name;
        answered(|| format!("ask {node} who leads"), calls::metadata(&wire, topic)).await
    }

    /// What every broker knows, if each of them knows every other one.
    async fn views(&self, network: &dyn Network) -> Result<Vec<View>, SystemError> {
        let mut views = vec![];
        for node in self.site.nodes() {
            let view = self.view(network, node).await?;
            let (known, all) = (view.brokers.len(), self.site.nodes().count());
            if known < all {
                let why = format!("it knows {known} of {all} brokers");
                return Err(SystemError::Answer { doing: format!("ask {node} who is there"), why });
            }
            views.push(view);
        }
        Ok(views)
    }

    fn door(&self) -> Door {
        Door::of(&self.site, &Credentials::default(), Sasl::Plain)
    }

    fn voters(&self) -> Vec<Voter> {
        quorum::of_brokers(&self.site, self.params.controllers.as_ref())
    }

    /// The brokers of each partition's replicas, the first leader first.
    fn placed(&self, controller: i32) -> Vec<Vec<i32>> {
        let brokers: Vec<i32> = topic::brokers(&self.site).map(|(broker, _)| broker).collect();
        let may_lead: Vec<i32> = match self.params.topic.first_leaders {
            FirstLeaders::Spread => brokers.clone(),
            FirstLeaders::OnController => vec![controller],
            FirstLeaders::OffController => {
                brokers.iter().copied().filter(|broker| *broker != controller).collect()
            }
        };
        // A single broker is controller and leader, whatever was asked for.
        let may_lead = if may_lead.is_empty() { brokers.clone() } else { may_lead };
        let replicas = usize::from(*self.params.topic.replicas);
        let of_partition = |leader: &i32| {
            let first = brokers.iter().position(|broker| broker == leader).unwrap_or(0);
            brokers.iter().copied().cycle().skip(first).take(replicas.min(brokers.len())).collect()
        };
        let partitions = usize::from(*self.params.topic.partitions);
        may_lead.iter().cycle().take(partitions).map(of_partition).collect()
    }
}

#[cfg(test)]
mod tests {

    use model::{ServiceId, Topology, topology};

    use super::*;

    fn placed(first_leaders: FirstLeaders, replicas: u16) -> Vec<Vec<i32>> {
        let node = |last| topology::Node {
            region: "r".into(),
            zone: None,
            services: [ServiceId::from("log")].into(),
            address: [198, 18, 0, last].into(),
        };
        let nodes = [("a", node(1)), ("b", node(2)), ("c", node(3))];
        let nodes = nodes.map(|(name, node)| (NodeId::from(name), node)).into();
        let topology = Arc::new(Topology { nodes, ..Topology::default() });
        let site =
            Site { service: "log".into(), topology, run: 7, seed: 1, keyring: Default::default() };
        let mut params = Settings::default();
        params.topic.first_leaders = first_leaders;
        params.topic.replicas = document::within::Within::given(replicas);
        Cluster { params, site }.placed(2)
    }

    #[test]
    fn leaders_are_where_they_are_wanted() {
        let spread = placed(FirstLeaders::Spread, 3);
        assert_eq!(spread, [[1, 2, 3], [2, 3, 1], [3, 1, 2]]);
        let on = placed(FirstLeaders::OnController, 2);
        assert_eq!(on, [[2, 3], [2, 3], [2, 3]]);
        let off = placed(FirstLeaders::OffController, 3);
        assert_eq!(off, [[1, 2, 3], [3, 1, 2], [1, 2, 3]]);
    }
}
