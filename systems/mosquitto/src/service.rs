//! The service: a broker on each node, and what each says. Every probe is made inside the asked node.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{HOUR, SECOND, Within},
};
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer,
    servers::{Requirement, Versions},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, PORT, SHARD,
    keeper::{self, answered},
    wire::Client,
};

/// A Mosquitto broker on each node. **Every broker stands alone**: nothing is replicated or bridged, and a broker that loses its power loses
/// what it has not saved: what it queued for subscribers who are away, and who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MosquittoService {
    /// The program: a name to be found in the folder of installed servers or on PATH, or an absolute path. Seen to work with 2.0.
    program: PathBuf,
    /// A broker saves what it keeps this often (`autosave_interval`), in whole seconds; half an hour by Mosquitto's own default.
    autosave: Within<Time, SECOND, HOUR, SECOND>,
}

impl Default for MosquittoService {
    fn default() -> Self {
        Self {
            program: "mosquitto".into(),
            autosave: Within::given(Time(Duration::from_secs(1800))),
        }
    }
}

impl MosquittoService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Brokers { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Brokers {
    params: MosquittoService,
    site: Site,
}

impl Layout for Brokers {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let listen = at.of(node, PORT, &End::Node(node.clone()));
        let host = listen.rsplit_once(':').map_or(listen.as_str(), |(host, _)| host);
        // A queue has no end here, or a broker would drop what it acked as soon as somebody is away for long.
        let content = format!(
            "listener {PORT} {host}\nallow_anonymous true\nset_tcp_nodelay true\npersistence true\npersistence_location {{data}}/\n\
             autosave_interval {}\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_dest stderr\n",
            self.params.autosave.0.as_secs(),
        );
        let command = Command {
            program: self.params.program.clone(),
            args: vec!["-c".to_owned(), "{data}/mosquitto.conf".to_owned()],
            ..Command::default()
        };
        let files = [("mosquitto.conf".to_owned(), content)].into();
        vec![Process { name: "mosquitto".to_owned(), files, command, ..Process::default() }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", PORT)]
    }

    /// Nobody leads and nobody follows.
    fn roles(&self) -> &'static [RoleName] {
        &[]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![SHARD.into()]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        SHARD.into()
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }

    fn requirements(&self) -> Vec<Requirement> {
        // Its help names the version, and there is no other way to ask.
        let versions = Versions { ask: &["-h"], from: (2, 0), to: (2, 0) };
        vec![Requirement::program(self.params.program.clone(), "mosquitto").with_versions(versions)]
    }
}

#[async_trait]
impl Service for Brokers {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        for node in self.site.nodes() {
            keeper::open(network, &Origin::node(node), node, Client::default()).await?;
        }
        Ok(())
    }

    /// The session for which every broker keeps what it acks.
    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        for node in self.site.nodes() {
            keeper::leave(network, node, self.site.run).await?;
        }
        Ok(())
    }

    /// By the word of the first broker.
    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let Some(node) = self.site.nodes().next() else { return Ok("mosquitto".to_owned()) };
        let origin = Origin::node(node);
        let mut opened = keeper::open(network, &origin, node, Client::default()).await?;
        let doing = format!("ask {node} for its version");
        answered(&doing, opened.wire.subscribe("$SYS/broker/version".to_owned())).await?;
        let come = timeout(CALL_TIMEOUT, opened.come.recv()).await.ok().flatten();
        let said = come.map(|come| String::from_utf8_lossy(&come.payload).replace("version ", ""));
        said.ok_or(SystemError::Answer { doing, why: "it did not say".to_owned() })
    }

    async fn believes(
        &self,
        _network: &dyn Network,
        _node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        Ok(vec![])
    }

    /// There is one copy of each reading, and it is up to date where its broker answers.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(self.ready(network).await.is_ok())
    }
}
