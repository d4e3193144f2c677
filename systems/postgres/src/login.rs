//! Who asks a server, and for which table: the parameters that drivers and observers share.

use std::{borrow::Cow, fmt};

use model::NodeId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use seams::{
    Site,
    secure::{Access, Credentials},
};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Config, config::SslMode};

use crate::SQL_PORT;

/// A name that SQL takes without quotes, such as `readings` or `fleet.readings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Name(String);

const PATTERN: &str = r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$";

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let plain = |part: &str| {
            let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            part.len() <= 63
                && part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && part.chars().all(rest)
        };
        let parts = name.split('.').count();
        if parts > 2 || !name.split('.').all(plain) {
            return Err(format!(
                "`{name}` is no plain SQL name; write one like `readings` or `fleet.readings`"
            ));
        }
        Ok(Self(name))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "SqlName".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN})
    }
}

/// Who asks, as seen from a server that trusts everybody.
pub(crate) const USER: &str = "postgres";
/// The one that is always there.
pub(crate) const DATABASE: &str = "postgres";

/// What a client gives at its start.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) access: Access,
    pub(crate) database: Name,
}

impl Login {
    /// Of somebody who belongs to the service itself.
    pub(crate) fn of_service(site: &Site) -> Self {
        Self { access: site.access(&Credentials::default()), database: DATABASE.into() }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.dbname(self.database.to_string()).application_name("wetdress");
        let user = self.access.login.as_ref();
        config.user(user.map_or(USER, |login| &login.user));
        if let Some(password) = user.and_then(|login| login.password.as_ref()) {
            config.password(password.reveal());
        }
        // Nothing is sent in the clear where TLS is wanted.
        config.ssl_mode(self.access.tls.as_ref().map_or(SslMode::Disable, |_| SslMode::Require));
        config
    }
}

/// Where a service of any kind speaks SQL: the port that it calls `sql`, PostgreSQL's own if it names none.
pub(crate) fn port(site: &Site) -> u16 {
    let service = site.topology.services.get(&site.service);
    service.and_then(|service| service.endpoints.get("sql").copied()).unwrap_or(SQL_PORT)
}

/// The nodes of the service in the order of their names, each with its index.
pub(crate) fn nodes(site: &Site) -> Vec<(model::NodeIndex, NodeId)> {
    let indices = site.topology.indices();
    site.nodes().map(|node| (indices[node], node.clone())).collect()
}
