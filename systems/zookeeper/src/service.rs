//! The service: which programs a node runs, and what each server says of itself.
//!
//! Every probe is made inside the asked node, so that it crosses no link. A server that looks for a leader answers no question after its
//! role: it says nothing, until it follows or leads.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{MS, SECOND, Within},
};
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer, servers::Requirement,
};
use serde::{Deserialize, Serialize};

use crate::{
    CLIENT_PORT, ELECTION_PORT, PEER_PORT, SHARD,
    jute::{self, Op},
    nodes, session,
    words::{self, Standing},
};

/// A ZooKeeper ensemble, and the node below which readings are created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZooKeeperService {
    /// The Java that runs the servers: a name to be found in the folder of installed servers or on PATH, or an absolute path.
    java: PathBuf,
    /// The folder of the classes: `zookeeper.jar`, which names the others that it needs, and `slf4j-simple.jar`. Seen to work with 3.8.
    classes: PathBuf,
    /// `tickTime`: the unit of the two limits. ZooKeeper's own default is 2 s.
    tick_time: Within<Time, { 50 * MS }, { 10 * SECOND }, MS>,
    /// `initLimit`: how many ticks a server may take to catch up with a leader, and the leader to find a quorum.
    init_limit: Within<u32, 2, 1000>,
    /// `syncLimit`: after how many ticks of silence a follower and its leader give each other up.
    sync_limit: Within<u32, 2, 1000>,
}

impl Default for ZooKeeperService {
    fn default() -> Self {
        Self {
            java: "java".into(),
            classes: "/usr/share/java".into(),
            tick_time: Within::given(Time(Duration::from_secs(2))),
            init_limit: Within::given(10),
            sync_limit: Within::given(5),
        }
    }
}

impl ZooKeeperService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Ensemble { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Ensemble {
    params: ZooKeeperService,
    site: Site,
}

const LEADER: RoleName = RoleName::leads("leader");
const FOLLOWER: RoleName = RoleName::copies("follower");

impl Layout for Ensemble {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let jar = |name| self.params.classes.join(name).display().to_string();
        let classes = [jar("zookeeper.jar"), jar("slf4j-simple.jar")].join(":");
        let words = [
            // Servers of the lab share this machine's memory and its cores.
            "-Xmx192m",
            "-XX:+UseSerialGC",
            "-Dzookeeper.admin.enableServer=false",
            // Else requests of clients that share an address are held back.
            "-Dzookeeper.globalOutstandingLimit=100000",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            &classes,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            "{data}/zoo.cfg",
        ];
        let command = Command {
            program: self.params.java.clone(),
            args: words.map(ToOwned::to_owned).into(),
            ..Command::default()
        };
        let number = (1..).zip(self.site.nodes()).find(|(_, own)| *own == node);
        let number = number.map_or(0, |(number, _): (u32, _)| number);
        let files = [
            ("zoo.cfg".to_owned(), self.config(node, at)),
            ("{data}/myid".to_owned(), format!("{number}\n")),
        ];
        vec![Process {
            name: "zookeeper".to_owned(),
            files: files.into(),
            command,
            ..Process::default()
        }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("peer", PEER_PORT), ("election", ELECTION_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![ShardId::from(SHARD)]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        ShardId::from(SHARD)
    }

    fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value| Timer {
            name: name.to_owned(),
            value,
            // A server that ends is missed at once; only silence takes so long.
            bounds_failover: false,
        };
        let tick = self.params.tick_time.0;
        vec![
            timer("tickTime", tick),
            timer("syncLimit x tickTime", tick * *self.params.sync_limit),
            timer("initLimit x tickTime", tick * *self.params.init_limit),
        ]
    }

    fn check(&self) -> Vec<Objection> {
        match self.site.nodes().count() {
            1 => {
                let message = "an ensemble of one server, which has no leader";
                vec![
                    Objection::new("", message)
                        .help("Three nodes are the fewest that survive a loss"),
                ]
            }
            _ => vec![],
        }
    }

    fn requirements(&self) -> Vec<Requirement> {
        let classes = self.params.classes.join("zookeeper.jar");
        vec![
            Requirement::program(self.params.java.clone(), "zookeeper"),
            Requirement::program(classes, "zookeeper"),
        ]
    }
}

#[async_trait]
impl Service for Ensemble {
    /// Every server follows or leads, and one of them leads.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let mut leaders = 0;
        for node in self.site.nodes() {
            leaders += usize::from(standing(network, node).await?.leads);
        }
        if leaders == 1 {
            return Ok(());
        }
        Err(SystemError::Answer {
            doing: "find the leader".to_owned(),
            why: format!("{leaders} servers lead"),
        })
    }

    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let node = self.site.nodes().next().ok_or_else(nobody)?;
        let to = network.address(node, CLIENT_PORT);
        let session = session::reach(network, &Origin::node(node), to).await?;
        let doing = "make the node for readings";
        let create = |out: &mut _| jute::put_create(out, nodes::PARENT, b"", false);
        let (reply, _) = session.answered(doing, Op::Create, create).await?;
        if matches!(reply.error, jute::OK | jute::NODE_EXISTS) {
            return Ok(());
        }
        let why = format!("the server answers with the error {}", reply.error);
        Err(SystemError::Answer { doing: doing.to_owned(), why })
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let mut versions = BTreeSet::new();
        for node in self.site.nodes() {
            versions.insert(standing(network, node).await?.version);
        }
        Ok(format!("ZooKeeper {}", versions.into_iter().collect::<Vec<_>>().join(" and ")))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let Standing { leads, epoch, .. } = standing(network, node).await?;
        let role = if leads { LEADER } else { FOLLOWER };
        Ok(vec![Role { shard: ShardId::from(SHARD), role, term: epoch }])
    }

    /// By the leader's word: all the others have what it has.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let mut why = nobody();
        for node in self.site.nodes() {
            let to = network.address(node, CLIENT_PORT);
            match words::synced_followers(network, &Origin::node(node), to).await {
                Ok(Some(synced)) => return Ok(synced + 1 == self.site.nodes().count()),
                Ok(None) => {}
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

impl Ensemble {
    fn config(&self, node: &NodeId, at: &dyn Addresses) -> String {
        let ZooKeeperService { tick_time, init_limit, sync_limit, .. } = &self.params;
        let here = End::Node(node.clone());
        let host = |of: &NodeId, port| {
            let address = at.of(of, port, &here);
            address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned())
        };
        let mut config = format!(
            "tickTime={}\ninitLimit={}\nsyncLimit={}\ndataDir={{data}}\nclientPort={CLIENT_PORT}\nclientPortAddress={}\n\
             maxClientCnxns=0\nstandaloneEnabled=false\n4lw.commands.whitelist=srvr,mntr\n",
            tick_time.0.as_millis(),
            **init_limit,
            **sync_limit,
            host(node, CLIENT_PORT),
        );
        for (number, peer) in (1..).zip(self.site.nodes()) {
            let peer = host(peer, PEER_PORT);
            config += &format!("server.{number}={peer}:{PEER_PORT}:{ELECTION_PORT}\n");
        }
        config
    }
}

fn nobody() -> SystemError {
    SystemError::Answer {
        doing: "find a server that leads".to_owned(),
        why: "the service has none".to_owned(),
    }
}

/// A server, asked from inside its own node.
async fn standing(network: &dyn Network, node: &NodeId) -> Result<Standing, SystemError> {
    words::standing(network, &Origin::node(node), network.address(node, CLIENT_PORT)).await
}
