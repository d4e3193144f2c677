//! The service: which programs a node runs, and what each member says of itself.
//!
//! Every probe is a connection of its own, made inside the asked node, so that it crosses no link and no old connection answers for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{MS, SECOND, Within},
};
use model::{End, NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer,
    secure::{Credentials, Hidden, Secured, ServerTls},
    servers::{Requirement, Versions},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, PEER_PORT, PING_EVERY, PING_TIMEOUT, SHARD, calls,
    proto::etcdserverpb::StatusResponse,
    wire::{self, Keepalive, Wire},
};

/// An etcd cluster, with settings that etcd starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct EtcdService(Settings);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The server: an absolute path, or a name to be found in the folder of installed servers or on PATH: `etcd` is Debian's 3.4,
    /// `etcd-3.6` what `ci/install-servers etcd` builds. Seen to work with 3.4 to 3.6.
    program: PathBuf,
    /// How often the leader says that it is there.
    heartbeat_interval: Within<Time, MS, { 10 * SECOND }, MS>,
    /// A follower that hears nothing for this long, up to twice this long, calls an election. etcd wants five heartbeats at least.
    election_timeout: Within<Time, { 5 * MS }, { 50 * SECOND - MS }, MS>,
    /// Whether a member asks before it calls an election, so that one that comes back does not depose a leader. etcd's own default
    /// since 3.5.
    pre_vote: bool,
    /// TLS between all of them, members and clients. Default: nothing is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    secured: Option<Secured>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            program: "etcd".into(),
            heartbeat_interval: Within::given(Time(Duration::from_millis(100))),
            election_timeout: Within::given(Time(Duration::from_secs(1))),
            pre_vote: true,
            secured: None,
        }
    }
}

/// What etcd itself checks when it starts.
impl TryFrom<Settings> for EtcdService {
    type Error = String;

    fn try_from(settings: Settings) -> Result<Self, String> {
        let (heartbeat, election) =
            (settings.heartbeat_interval.0.as_millis(), settings.election_timeout.0.as_millis());
        if election < 5 * heartbeat {
            return Err("`election_timeout` is less than five times `heartbeat_interval`; etcd does not start with it".to_owned());
        }
        Ok(Self(settings))
    }
}

impl EtcdService {
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
        let command = Command {
            program: self.params.program.clone(),
            args: self.flags(node, at),
            ..Command::default()
        };
        let private = self.private(node);
        vec![Process { name: "etcd".to_owned(), private, command, ..Process::default() }]
    }

    fn secured(&self) -> Option<&Secured> {
        self.params.secured.as_ref()
    }

    fn check(&self) -> Vec<Objection> {
        let user = self.params.secured.as_ref().and_then(Secured::user);
        let object = |_| {
            let message = "users of etcd are not in this version: it is secured by TLS alone";
            Objection::new("secured.user", message)
                .help("Leave `user` out, and write `tls: mutual`")
        };
        user.map(object).into_iter().collect()
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("peer", PEER_PORT)]
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
        let timer = |name: &str, value: Time, bounds_failover| Timer {
            name: name.to_owned(),
            value: value.0,
            bounds_failover,
        };
        vec![
            timer("heartbeat-interval", *self.params.heartbeat_interval, false),
            timer("election-timeout", *self.params.election_timeout, true),
        ]
    }

    fn requirements(&self) -> Vec<Requirement> {
        let versions = Versions { ask: &["--version"], from: (3, 4), to: (3, 6) };
        vec![Requirement::program(self.params.program.clone(), "etcd").with_versions(versions)]
    }
}

#[async_trait]
impl Service for Cluster {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        self.in_step(network).await.map(|_| ())
    }

    /// Nothing: keys need no place made for them.
    async fn provision(&self, _ground: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let versions: BTreeSet<String> =
            self.in_step(network).await?.into_iter().map(|status| status.version).collect();
        Ok(format!("etcd {}", versions.into_iter().collect::<Vec<_>>().join(" and ")))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let wire = inside(network, &self.site, node).await?;
        let status =
            calls::answered(&format!("ask {node} for its status"), calls::status(&wire)).await?;
        let role = if leads(&status) { LEADER } else { FOLLOWER };
        Ok(vec![Role { shard: ShardId::from(SHARD), role, term: status.raft_term }])
    }

    /// A member that does not answer, or lags behind what its quorum has committed, is a copy too few.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(self.in_step(network).await.is_ok())
    }
}

impl Cluster {
    fn flags(&self, node: &NodeId, at: &dyn Addresses) -> Vec<String> {
        let here = End::Node(node.clone());
        let scheme = if self.tls() == ServerTls::None { "http" } else { "https" };
        let url = |node: &NodeId, port: u16| format!("{scheme}://{}", at.of(node, port, &here));
        let (peer, client) = (url(node, PEER_PORT), url(node, CLIENT_PORT));
        let members = self.site.nodes().map(|node| format!("{node}={}", url(node, PEER_PORT)));
        let members = members.collect::<Vec<_>>().join(",");
        let flags = [
            ("name", node.to_string()),
            ("data-dir", "{data}/etcd".to_owned()),
            ("listen-peer-urls", peer.clone()),
            ("initial-advertise-peer-urls", peer),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("initial-cluster", members),
            ("initial-cluster-state", "new".to_owned()),
            ("initial-cluster-token", format!("{}-{:016x}", self.site.service, self.site.run)),
            ("heartbeat-interval", self.params.heartbeat_interval.0.as_millis().to_string()),
            ("election-timeout", self.params.election_timeout.0.as_millis().to_string()),
            ("pre-vote", self.params.pre_vote.to_string()),
            // By its default of 5 s the server hangs up on a client that pings every second.
            ("grpc-keepalive-min-time", format!("{}ms", PING_EVERY.as_millis() / 2)),
            ("logger", "zap".to_owned()),
            ("log-outputs", "stderr".to_owned()),
        ];
        let of_tls = lock(self.tls()).map(|(flag, value)| (flag, value.to_owned()));
        let flags = flags.into_iter().chain(of_tls);
        flags.map(|(flag, value)| format!("--{flag}={value}")).collect()
    }

    fn private(&self, node: &NodeId) -> BTreeMap<String, Hidden> {
        if self.tls() == ServerTls::None {
            return BTreeMap::new();
        }
        let keys = self.site.server_keys(node);
        let files = [(CA, keys.ca), (CERTIFICATE, keys.certificate), (KEY, keys.key)];
        files.map(|(path, content)| (path.to_owned(), content)).into()
    }

    fn tls(&self) -> ServerTls {
        self.params.secured.as_ref().map_or(ServerTls::None, Secured::tls)
    }

    /// What all members say, if they are one cluster: each answers, follows the same leader in the same term, has no alarm, and has
    /// applied what its quorum had committed when it was asked.
    async fn in_step(&self, network: &dyn Network) -> Result<Vec<StatusResponse>, SystemError> {
        let mut all: Vec<StatusResponse> = vec![];
        for node in self.site.nodes() {
            let wire = inside(network, &self.site, node).await?;
            let doing = format!("ask {node} for its status");
            let status = calls::answered(&doing, calls::status(&wire)).await?;
            if let Some(why) = trouble(&status, all.first()) {
                return Err(SystemError::Answer { doing, why });
            }
            calls::answered(
                &format!("read the newest key on {node}"),
                calls::newest(&wire, self.site.run),
            )
            .await?;
            all.push(status);
        }
        Ok(all)
    }
}

const CA: &str = "{private}/ca.crt";
const CERTIFICATE: &str = "{private}/server.crt";
const KEY: &str = "{private}/server.key";

/// Flags of TLS. Members always show each other who they are.
fn lock(tls: ServerTls) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = [
        ("cert-file", CERTIFICATE),
        ("key-file", KEY),
        ("peer-cert-file", CERTIFICATE),
        ("peer-key-file", KEY),
        ("peer-trusted-ca-file", CA),
        ("peer-client-cert-auth", "true"),
    ];
    // Whoever names an authority to etcd 3.4 asks clients for their certificates, whatever else it is told.
    let mutual = [("trusted-ca-file", CA), ("client-cert-auth", "true")];
    let all = all.into_iter().filter(move |_| tls != ServerTls::None);
    all.chain(mutual.into_iter().filter(move |_| tls == ServerTls::Mutual))
}

/// What keeps a member from being in step with the one asked first.
fn trouble(status: &StatusResponse, first: Option<&StatusResponse>) -> Option<String> {
    if status.leader == 0 {
        return Some("it knows no leader".to_owned());
    }
    if status.is_learner {
        return Some("it is a learner without a vote".to_owned());
    }
    if !status.errors.is_empty() {
        return Some(status.errors.join(", "));
    }
    let agrees = first
        .is_none_or(|first| (first.leader, first.raft_term) == (status.leader, status.raft_term));
    (!agrees).then(|| "it follows another leader than the first member".to_owned())
}

fn leads(status: &StatusResponse) -> bool {
    status.leader != 0 && status.header.is_some_and(|header| header.member_id == status.leader)
}

/// A fresh connection to a member from inside its own node.
async fn inside(network: &dyn Network, site: &Site, node: &NodeId) -> Result<Wire, SystemError> {
    let doing = format!("connect to {node}");
    let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
    let origin = Origin::node(node);
    let access = wire::access(site, &Credentials::default());
    let to = network.address(node, CLIENT_PORT);
    let opening = wire::open(network, &origin, to, keepalive, &access);
    match timeout(CALL_TIMEOUT, opening).await {
        Ok(Ok((wire, _))) => Ok(wire),
        Ok(Err(source)) => Err(SystemError::Io { doing, source }),
        Err(_) => {
            Err(SystemError::Answer { doing, why: format!("no answer within {CALL_TIMEOUT:?}") })
        }
    }
}
