//! What a secured server is started with.

use std::{collections::BTreeMap, fmt::Write};

use model::NodeId;
use seams::{
    Site,
    secure::{Hidden, Secured, ServerTls},
};
use serde_json::json;

/// Files, and lines of the configuration, by which a server knows whom to let in.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    pub(crate) private: BTreeMap<String, Hidden>,
    pub(crate) config: String,
}

const CA: &str = "{private}/ca.crt";
const CERTIFICATE: &str = "{private}/server.crt";
const KEY: &str = "{private}/server.key";

impl Lock {
    pub(crate) fn of(secured: &Secured, site: &Site, node: &NodeId) -> Self {
        let mut lock = Self::default();
        let mut line = |text: std::fmt::Arguments<'_>| {
            writeln!(lock.config, "{text}").expect("memory takes every line");
        };
        if let Some(user) = secured.user() {
            let login = site.keyring.login(&site.service);
            let password = login.and_then(|login| login.password).unwrap_or_default();
            // Its strings have the escapes of JSON.
            let (user, password) = (json!(user), json!(password.reveal()));
            line(format_args!("authorization {{ user: {user}, password: {password} }}"));
        }
        let verify = match secured.tls() {
            ServerTls::None => return lock,
            ServerTls::Server => false,
            ServerTls::Mutual => true,
        };
        line(format_args!(
            "tls {{ cert_file: \"{CERTIFICATE}\", key_file: \"{KEY}\", ca_file: \"{CA}\", verify: {verify}, timeout: 5 }}"
        ));
        let keys = site.server_keys(node);
        let files = [(CA, keys.ca), (CERTIFICATE, keys.certificate), (KEY, keys.key)];
        lock.private = files.map(|(path, content)| (path.to_owned(), content)).into();
        lock
    }
}
