//! The service `postgres`: one server on one node, which nobody copies.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use model::{NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Process, Restart, Role, RoleName, Service,
    Site, SystemError, Timer, secure::Secured, servers::Requirement,
};
use serde::{Deserialize, Serialize};

use crate::{
    SHARD, SQL_PORT, inside,
    lock::Lock,
    login::Name,
    settings::{self, Parameters},
    table,
};

/// One PostgreSQL server. It needs exactly one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresService {
    /// The folder of `postgres` and `initdb`. Made for 15.
    programs: PathBuf,
    /// PostgreSQL's own settings, by name. Durability is PostgreSQL's default (`fsync`, `synchronous_commit` on) where nothing is said.
    settings: Parameters,
    /// The table that is made for readings.
    table: Name,
    /// TLS, and who may log in: the user is the one that makes the table. Default: nothing is asked, the lab is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    secured: Option<Secured>,
}

pub(crate) const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
pub(crate) const TABLE: &str = "readings";

impl Default for PostgresService {
    fn default() -> Self {
        Self {
            programs: PROGRAMS.into(),
            settings: Parameters::new(),
            table: TABLE.into(),
            secured: None,
        }
    }
}

impl PostgresService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Server { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Server {
    params: PostgresService,
    site: Site,
}

const PRIMARY: RoleName = RoleName::leads("primary");
const STANDBY: RoleName = RoleName::copies("standby");

impl Layout for Server {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let program = |name: &str, args: Vec<String>| Command {
            program: self.params.programs.join(name),
            args,
            ..Command::default()
        };
        let words = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
        let lock = Lock::of(self.params.secured.as_ref(), &self.site, node);
        let mut initdb = words("--pgdata={data}/pg --encoding=UTF8 --locale=C --no-instructions");
        initdb.extend(lock.initdb);
        let mut args = words("-D {data}/pg -c hba_file={data}/pg_hba.conf");
        args.extend(["-p".to_owned(), SQL_PORT.to_string()]);
        args.extend(["-h".to_owned(), settings::host(node, SQL_PORT, at)]);
        let settings = settings::parameters(&self.params.settings).into_iter();
        let lock_settings =
            lock.settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in settings.chain(lock_settings) {
            args.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        vec![Process {
            name: "postgres".to_owned(),
            files: [("{data}/pg_hba.conf".to_owned(), lock.hba.join("\n"))].into(),
            private: lock.private,
            steps: vec![program("initdb", initdb)],
            command: program("postgres", args),
            restart: Restart::Never,
            ..Process::default()
        }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("sql", SQL_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[PRIMARY, STANDBY]
    }

    fn shards(&self) -> Vec<ShardId> {
        vec![ShardId::from(SHARD)]
    }

    fn shard_of(&self, _asset: u32, _stream: u16) -> ShardId {
        ShardId::from(SHARD)
    }

    fn timers(&self) -> Vec<Timer> {
        vec![]
    }

    fn requirements(&self) -> Vec<Requirement> {
        settings::requirements(&self.params.programs)
    }

    fn secured(&self) -> Option<&Secured> {
        self.params.secured.as_ref()
    }

    fn check(&self) -> Vec<Objection> {
        match self.site.nodes().count() {
            1 => vec![],
            nodes => {
                let message = format!("a PostgreSQL that stands alone, on {nodes} nodes");
                let help = "Nothing is copied between them: give it one node, or write `kind: patroni` with an etcd";
                vec![Objection::new("", message).help(help)]
            }
        }
    }
}

#[async_trait]
impl Service for Server {
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let node = self.only_node()?;
        let standing = inside::standing(network, &self.site, node).await?;
        if standing.in_recovery {
            return Err(SystemError::Answer {
                doing: format!("find {node} ready"),
                why: "it is in recovery".to_owned(),
            });
        }
        Ok(())
    }

    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let statements = table::create(&self.params.table);
        inside::run(network, &self.site, self.only_node()?, "make the table", &statements).await
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        Ok(format!("PostgreSQL {}", inside::version(network, &self.site, self.only_node()?).await?))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let standing = inside::standing(network, &self.site, node).await?;
        let role = if standing.in_recovery { STANDBY } else { PRIMARY };
        Ok(vec![Role { shard: ShardId::from(SHARD), role, term: standing.timeline }])
    }

    /// As redundant as it ever is: the one server serves.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        Ok(!inside::standing(network, &self.site, self.only_node()?).await?.in_recovery)
    }
}

impl Server {
    fn only_node(&self) -> Result<&NodeId, SystemError> {
        let mut nodes = self.site.nodes();
        match (nodes.next(), nodes.next()) {
            (Some(node), None) => Ok(node),
            _ => Err(SystemError::Answer {
                doing: format!("find the server of {}", self.site.service),
                why: "it has not exactly one node".to_owned(),
            }),
        }
    }
}
