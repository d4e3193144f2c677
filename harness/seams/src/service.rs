//! A running system of the stack.

use std::{borrow::Cow, collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{
    End, NodeId, NodeIndex, RegionId, RoleKind, ServiceId, ShardId, Topology, topology::Node,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    Network, Objection,
    secure::{Access, Credentials, Hidden, Keyring, Refusal, Secured, ServerKeys},
    servers::Requirement,
};

/// A program of a node. The program, `args`, `env` and `files` may hold `{data}`, which the lab replaces by a directory of the node's own
/// (it survives a restart of the node within the run), `{private}`, a directory of it in memory, and `{servers}`, the [folder](crate::servers::folder) of installed servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Unique within its node: [`processes`] sees to that where a node runs several services.
    pub name: String,
    /// Below the node's own directory; `{data}` is there. None: the node's own.
    pub folder: Option<String>,
    /// Written before the first start: path (may hold `{data}`) and content.
    pub files: BTreeMap<String, String>,
    /// The same for what nobody else may read: each lies below `{private}`, in memory, and vanishes with the lab.
    pub private: BTreeMap<String, Hidden>,
    /// Run to the end, once, before the first start, in this order.
    pub steps: Vec<Command>,
    /// The long-running one. It is started again when the node comes back.
    pub command: Command,
    /// Whether it is started again when it ends by itself.
    pub restart: Restart,
}

/// What becomes of a program that ended without being asked, as a service manager would be told. A window that wants the process down is
/// stronger: nothing is started before it closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// It stays ended until its node comes back.
    #[default]
    Never,
    /// Started again this long after it was killed or said that it failed.
    OnFailure { wait: Duration },
    /// Started again this long after any end.
    Always { wait: Duration },
}

impl Restart {
    /// How long after an end it is started again; None for never.
    pub fn after(self, failed: bool) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::OnFailure { wait } => failed.then_some(wait),
            Self::Always { wait } => Some(wait),
        }
    }
}

/// A parameter of a kind that names another service of the stack, by the service's name in the scenario. `plan` refuses a name that is
/// not in the stack, and brings the named service up first. A field that needs an endpoint of it says so in its schema:
/// `#[schemars(extend("endpoint" = "client"))]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceRef(pub ServiceId);

impl ServiceRef {
    /// The `format` by which a schema marks such a parameter.
    pub const FORMAT: &str = "service";
}

impl JsonSchema for ServiceRef {
    fn schema_name() -> Cow<'static, str> {
        "Service".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": Self::FORMAT})
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// A name to be found on the [search path](crate::servers::search_path), or an absolute path. `{self}` is the harness's own executable.
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
}

/// A timer of the stack, for the checks that compare gates with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// As the system's own manual calls it.
    pub name: String,
    pub value: Duration,
    /// Whether a failover cannot be faster than this.
    pub bounds_failover: bool,
}

/// A role as a system calls it, such as `primary`, and what the word means there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName {
    pub name: &'static str,
    pub kind: RoleKind,
}

impl RoleName {
    pub const fn leads(name: &'static str) -> Self {
        Self { name, kind: RoleKind::Leads }
    }

    pub const fn copies(name: &'static str) -> Self {
        Self { name, kind: RoleKind::Copies }
    }

    pub const fn other(name: &'static str) -> Self {
        Self { name, kind: RoleKind::Other }
    }
}

/// What a node believes of itself. An isolated leader may still say that it leads: the highest term wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub shard: ShardId,
    /// One of [`Layout::roles`].
    pub role: RoleName,
    pub term: u64,
}

/// Where a node's port is reached, written as a server's configuration wants it: `host:port`. What is reached may differ by who asks:
/// a lab may put a proxy on each link.
pub trait Addresses: Send + Sync {
    fn of(&self, node: &NodeId, port: u16, seen_from: &End) -> String;
}

/// The plain answer: the address that the plan gave to the node, whoever asks. A node that the topology does not have is its own name.
impl Addresses for Topology {
    fn of(&self, node: &NodeId, port: u16, _seen_from: &End) -> String {
        match self.nodes.get(node) {
            Some(known) => format!("{}:{port}", known.address),
            None => format!("{node}:{port}"),
        }
    }
}

/// Which service of the plan, and what it can know of its surroundings.
#[derive(Clone, Debug)]
pub struct Site {
    pub service: ServiceId,
    pub topology: Arc<Topology>,
    /// Of this run; part of every envelope.
    pub run: u64,
    pub seed: u64,
    /// What was made for the run; empty where a plan is only looked at.
    pub keyring: Keyring,
}

impl Site {
    /// The service's nodes, in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.topology.nodes_of(&self.service)
    }

    /// A node of the service, by its place in the topology.
    pub fn node(&self, index: u32) -> Option<(NodeIndex, &NodeId)> {
        let (name, node) = self.topology.nodes.iter().nth(index as usize)?;
        let index = NodeIndex(u16::try_from(index).ok()?);
        node.services.contains(&self.service).then_some((index, name))
    }

    /// Where another service of the stack is reached: its nodes, in the order of their names, each with the port that the service calls
    /// by this name. Empty where the stack has no such service, or the service no such port.
    pub fn endpoints(&self, of: &ServiceId, name: &str) -> Vec<(NodeId, u16)> {
        let port = self.topology.services.get(of).and_then(|service| service.endpoints.get(name));
        let Some(port) = port.copied() else { return vec![] };
        self.topology.nodes_of(of).map(|node| (node.clone(), port)).collect()
    }

    /// The shards of this service; empty where nobody has asked it for them yet.
    pub fn shards(&self) -> &[ShardId] {
        self.topology.services.get(&self.service).map_or(&[], |service| &service.shards)
    }

    /// The service's nodes in a region, in the order of their names.
    pub fn nodes_in(&self, region: &RegionId) -> impl Iterator<Item = (NodeIndex, &NodeId)> {
        let all = (0..).map(NodeIndex).zip(&self.topology.nodes);
        let here = all.filter(move |(_, (_, node))| {
            node.region == *region && node.services.contains(&self.service)
        });
        here.map(|(index, (name, _))| (index, name))
    }

    /// Their names.
    ///
    /// # Errors
    /// None is there.
    pub fn names_in(&self, region: &RegionId) -> Result<Vec<NodeId>, SystemError> {
        let here: Vec<_> = self.nodes_in(region).map(|(_, node)| node.clone()).collect();
        if here.is_empty() {
            let doing = format!("find a node of {} in {region}", self.service);
            return Err(SystemError::Answer { doing, why: "none is there".to_owned() });
        }
        Ok(here)
    }

    /// What a client of the service shows and believes: what it was given, else what was made for the run.
    /// Where something of it cannot be used, whoever connects is told why.
    pub fn access(&self, given: &Credentials) -> Access {
        let opened = given.open(self.keyring.client(&self.service));
        opened.unwrap_or_else(|error| {
            // Lanes say why in sentences that live as long as the program.
            let why = Box::leak(format!("no credentials: {error}").into_boxed_str());
            Access::none(Refusal(why))
        })
    }

    /// The certificate of a server of the service.
    pub fn server_keys(&self, node: &NodeId) -> ServerKeys {
        let address = self.topology.nodes.get(node).map(|known| known.address.into());
        let server = |address| self.keyring.server(&self.service, node, address);
        address.map_or_else(ServerKeys::default, server)
    }

    /// The one among them whose turn it is, round and round; None where there is none.
    pub fn nth_in(&self, region: &RegionId, turn: u32) -> Option<(NodeIndex, &NodeId)> {
        let count = u32::try_from(self.nodes_in(region).count()).ok()?;
        self.nodes_in(region).nth(turn.checked_rem(count)? as usize)
    }
}

/// Why a system did not answer as hoped; finishes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    #[error("{doing}")]
    Io { doing: String, source: std::io::Error },
    #[error("{doing}: {why}")]
    Answer { doing: String, why: String },
}

/// What is known of a service before anything starts. Pure: the plan asks it, and no answer depends on a running server.
pub trait Layout: fmt::Debug + Send + Sync {
    /// The programs of one node. `at` knows where the other nodes are reached from there.
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process>;

    /// The ports of every node of the service, each under a name that other services of the stack can ask for.
    fn endpoints(&self) -> &'static [(&'static str, u16)];

    /// Every role that [`Service::believes`] can answer with, as the system's manual calls it.
    fn roles(&self) -> &'static [RoleName];

    fn shards(&self) -> Vec<ShardId>;

    /// The shard that the readings of an asset's stream go to; streams are numbered within the asset's fleet.
    fn shard_of(&self, asset: u32, stream: u16) -> ShardId;

    fn timers(&self) -> Vec<Timer>;

    /// What must be installed. Where something is missing nothing is started.
    fn requirements(&self) -> Vec<Requirement> {
        vec![]
    }

    /// What of the parameters cannot be on the nodes that the service has.
    fn check(&self) -> Vec<Objection> {
        vec![]
    }

    /// How its servers are secured; their clients take what was made for that.
    fn secured(&self) -> Option<&Secured> {
        None
    }

    /// How long the servers may take to serve.
    fn ready_within(&self) -> Duration {
        Duration::from_secs(90)
    }
}

/// Every process of a stack, by node, each with its service. Where a node runs several services, a process is called
/// `service.process` and has a folder of its service; the processes of a service come after those of the services that it needs.
pub fn processes(
    topology: &Topology,
    services: &BTreeMap<ServiceId, Arc<dyn Service>>,
    at: &dyn Addresses,
) -> BTreeMap<NodeId, Vec<(ServiceId, Process)>> {
    // A plan that was loaded has no circle.
    let order = topology.start_order().unwrap_or_else(|circle| circle);
    let place = |service: &ServiceId| order.iter().position(|other| other == service);
    let of_node = |(name, node): (&NodeId, &Node)| {
        let here = services.iter().filter(|(service, _)| node.services.contains(*service));
        let mut here: Vec<_> = here.collect();
        here.sort_by_key(|(service, _)| place(service));
        let shared = node.services.len() > 1;
        let all = here.into_iter().flat_map(|(service, layout)| {
            let own = layout.processes(name, at).into_iter();
            own.map(move |process| {
                let process = if shared { process.beside_others(service) } else { process };
                (service.clone(), process)
            })
        });
        (name.clone(), all.collect())
    };
    topology.nodes.iter().map(of_node).collect()
}

impl Process {
    fn beside_others(self, service: &ServiceId) -> Self {
        let name = format!("{service}.{}", self.name);
        Self { name, folder: Some(service.to_string()), ..self }
    }
}

/// What a running service is asked.
#[async_trait]
pub trait Service: Layout {
    /// One try: Ok when every node serves. The caller repeats it and owns the deadline.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError>;

    /// Topics, tables, keys: what must exist before traffic. Called once, after ready.
    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError>;

    /// Name and version as the running system gives it.
    async fn version(&self, network: &dyn Network) -> Result<String, SystemError>;

    /// Asked of one node, from inside that node.
    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError>;

    /// Whether every copy is up to date, by the stack's own view.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError>;
}
