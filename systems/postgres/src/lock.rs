//! What a secured server is started with.

use std::collections::BTreeMap;

use model::NodeId;
use seams::{
    Site,
    secure::{Hidden, Secured, ServerTls},
};

use crate::login::USER;

/// Files, arguments and settings by which a server knows whom to let in.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    pub(crate) private: BTreeMap<String, Hidden>,
    /// Arguments of `initdb`.
    pub(crate) initdb: Vec<String>,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    /// Lines of `pg_hba.conf`.
    pub(crate) hba: Vec<String>,
}

const PASSWORD: &str = "{private}/password";
const CA: &str = "{private}/ca.crt";
const CERTIFICATE: &str = "{private}/server.crt";
const KEY: &str = "{private}/server.key";

impl Lock {
    /// Of a server that nobody secures: everybody in the lab is let in, also for replication.
    pub(crate) fn of(secured: Option<&Secured>, site: &Site, node: &NodeId) -> Self {
        let tls = secured.map_or(ServerTls::None, Secured::tls);
        let user = secured.and_then(Secured::user);
        let mut lock = Self::default();
        let method = if user.is_some() { "scram-sha-256" } else { "trust" };
        lock.initdb.push(format!("--username={}", user.unwrap_or(USER)));
        lock.initdb.push(format!("--auth={method}"));
        if user.is_some() {
            let login = site.keyring.login(&site.service);
            let password = login.and_then(|login| login.password).unwrap_or_default();
            lock.private.insert(PASSWORD.to_owned(), password);
            lock.initdb.push(format!("--pwfile={PASSWORD}"));
        }
        let (word, wanted) = match tls {
            ServerTls::None => ("host", ""),
            ServerTls::Server => ("hostssl", ""),
            ServerTls::Mutual => ("hostssl", " clientcert=verify-ca"),
        };
        let line = |of: &str| format!("{word} {of} all 0.0.0.0/0 {method}{wanted}");
        lock.hba = vec![line("all"), line("replication")];
        if tls != ServerTls::None {
            let keys = site.server_keys(node);
            for (path, content) in [(CA, keys.ca), (CERTIFICATE, keys.certificate), (KEY, keys.key)]
            {
                lock.private.insert(path.to_owned(), content);
            }
            lock.settings.extend([
                ("ssl", "on"),
                ("ssl_cert_file", CERTIFICATE),
                ("ssl_key_file", KEY),
                ("ssl_ca_file", CA),
            ]);
        }
        lock
    }
}
