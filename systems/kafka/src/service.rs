//! The service: KRaft nodes that are broker and controller at once, and what each of them says of itself.
//!
//! Every probe is a connection of its own, made inside the asked node, so that it crosses no link and no old connection answers for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId};
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer,
    servers::{Requirement, Versions},
};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, CONTROLLER_PORT, METADATA_SHARD,
    calls::{self, answered},
    properties,
    settings::{FirstLeaders, KafkaService, Settings},
    topic::{self, View},
    wire::{self, Wire},
};

/// What `ci/install-servers` calls it.
const INSTALL: &str = "kafka";
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
const CONTROLLER: RoleName = RoleName::leads("controller");

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let java = |more: &[&str]| {
            let heap = format!("-Xmx{}m", self.params.heap.0 >> 20);
            let fixed = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"];
            let jars = format!("{{servers}}/kafka-{}/*", self.params.version);
            let args = [heap.as_str()].into_iter().chain(fixed).chain([jars.as_str()]);
            let args = args.chain(more.iter().copied()).map(str::to_owned).collect();
            // Java says what it reads from the environment; a tester's own settings are not the node's.
            let env = [("JAVA_TOOL_OPTIONS", ""), ("JDK_JAVA_OPTIONS", "")];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            Command { program: "kafka-java".into(), args, env }
        };
        let format = [
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            &properties::cluster_id(self.site.run),
            "--config",
            properties::SERVER_FILE,
        ];
        let logging = format!("-Dlog4j2.configurationFile={}", properties::LOGGING_FILE);
        let mut command = java(&["kafka.Kafka", properties::SERVER_FILE]);
        command.args.insert(0, logging);
        let files = [
            (properties::SERVER_FILE, properties::server(&self.params, &self.site, node, at)),
            (properties::LOGGING_FILE, properties::LOGGING.to_owned()),
        ];
        vec![Process {
            name: "kafka".to_owned(),
            files: files.map(|(path, text)| (path.to_owned(), text)).into(),
            steps: vec![java(&format)],
            command,
            ..Process::default()
        }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("controller", CONTROLLER_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER, CONTROLLER]
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
        let timer = |(name, value): (&str, Duration)| Timer {
            name: name.to_owned(),
            value,
            bounds_failover: name == properties::SESSION_TIMEOUT,
        };
        properties::timers(self.params.timers).into_iter().map(timer).collect()
    }

    /// Three Java machines on few processors.
    fn ready_within(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn requirements(&self) -> Vec<Requirement> {
        let version = &self.params.version;
        let jar = format!("kafka-{version}/kafka_2.13-{version}.jar");
        let java = Versions { ask: &["-version"], from: (17, 0), to: (99, 0) };
        vec![
            Requirement::program("kafka-java", INSTALL).with_versions(java),
            Requirement::program(jar, INSTALL),
        ]
    }

    fn check(&self) -> Vec<Objection> {
        let (nodes, replicas) =
            (self.site.nodes().count(), usize::from(*self.params.topic.replicas));
        if replicas <= nodes {
            return vec![];
        }
        let message = format!("a topic with {replicas} replicas on {nodes} nodes");
        let help =
            format!("A node holds one replica of a partition: at most {nodes}, or more nodes");
        vec![Objection::new("topic.replicas", message).help(help)]
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every broker knows all brokers, and one of the controllers is the active one.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        self.views(network).await?;
        self.controller(network).await.map(|_| ())
    }

    /// Makes the topic, and waits until every broker knows who leads it.
    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let (controller, node) = self.controller(network).await?;
        let wire = inside(network, node, CLIENT_PORT).await?;
        let topic = &self.params.topic;
        let min_insync = ("min.insync.replicas", topic.min_insync.to_string());
        let placed = self.placed(controller);
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
        let wire = inside(network, node, CLIENT_PORT).await?;
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
        if let Some(term) = active(network, node).await? {
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
        let wire = inside(network, node, CLIENT_PORT).await?;
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

    /// The active controller in the highest epoch, as a broker's number and a node.
    async fn controller(&self, network: &dyn Network) -> Result<(i32, &NodeId), SystemError> {
        let mut known = BTreeMap::new();
        for (broker, node) in topic::brokers(&self.site) {
            if let Some(epoch) = active(network, node).await? {
                known.insert(epoch, (broker, node));
            }
        }
        known.pop_last().map(|(_, active)| active).ok_or_else(|| nobody("an active controller"))
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

/// The epoch in which a node's controller is the active one, if it is.
async fn active(network: &dyn Network, node: &NodeId) -> Result<Option<u64>, SystemError> {
    let wire = inside(network, node, CONTROLLER_PORT).await?;
    answered(|| format!("ask {node} for its quorum"), calls::controller_epoch(&wire)).await
}

fn nobody(wanted: &str) -> SystemError {
    SystemError::Answer { doing: format!("find {wanted}"), why: "there is none".to_owned() }
}

/// A fresh connection to a node from inside it.
async fn inside(network: &dyn Network, node: &NodeId, port: u16) -> Result<Wire, SystemError> {
    let doing = || format!("connect to {node}");
    let origin = Origin::node(node);
    match timeout(CALL_TIMEOUT, wire::open(network, &origin, network.address(node, port))).await {
        Ok(Ok((wire, _driving))) => Ok(wire),
        Ok(Err(source)) => Err(SystemError::Io { doing: doing(), source }),
        Err(_) => {
            let why = format!("no answer within {CALL_TIMEOUT:?}");
            Err(SystemError::Answer { doing: doing(), why })
        }
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
        let site = Site { service: "log".into(), topology, run: 7, seed: 1 };
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
