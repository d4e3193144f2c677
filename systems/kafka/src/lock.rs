//! What a secured node is started with.

use std::collections::BTreeMap;

use model::NodeId;
use seams::{
    Site,
    secure::{Hidden, Login, Secured, ServerTls},
};

/// Files and properties by which a node knows whom to let in.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    pub(crate) private: BTreeMap<String, Hidden>,
    pub(crate) properties: Vec<(String, String)>,
    /// Users that are there from the beginning, as the tool that formats the disk wants them.
    pub(crate) users: Vec<String>,
}

/// What the listener of clients, and of brokers among themselves, is called: by its protocol.
pub(crate) fn listener(secured: Option<&Secured>) -> &'static str {
    let tls = tls(secured) != ServerTls::None;
    match (tls, secured.and_then(Secured::user).is_some()) {
        (false, false) => "PLAINTEXT",
        (false, true) => "SASL_PLAINTEXT",
        (true, false) => "SSL",
        (true, true) => "SASL_SSL",
    }
}

/// The protocol of controllers. They know each other by certificates, if at all.
pub(crate) fn of_controllers(secured: Option<&Secured>) -> &'static str {
    if tls(secured) == ServerTls::None { "PLAINTEXT" } else { "SSL" }
}

fn tls(secured: Option<&Secured>) -> ServerTls {
    secured.map_or(ServerTls::None, Secured::tls)
}

/// A key and its certificate in one file, as Kafka wants a PEM store.
const STORE: &str = "{private}/server.pem";
const CA: &str = "{private}/ca.crt";

impl Lock {
    pub(crate) fn of(secured: &Secured, site: &Site, node: &NodeId) -> Self {
        let mut lock = Self::default();
        let tls = secured.tls();
        let mut set = |name: &str, value: &str| {
            lock.properties.push((name.to_owned(), value.to_owned()));
        };
        if tls != ServerTls::None {
            let keys = site.server_keys(node);
            let store = format!("{}{}", keys.key.reveal(), keys.certificate.reveal());
            lock.private.insert(STORE.to_owned(), Hidden::new(store));
            lock.private.insert(CA.to_owned(), keys.ca);
            set("ssl.keystore.type", "PEM");
            set("ssl.keystore.location", STORE);
            set("ssl.truststore.type", "PEM");
            set("ssl.truststore.location", CA);
            set("ssl.client.auth", if tls == ServerTls::Mutual { "required" } else { "none" });
        }
        // Before a run there is none; its place is filled all the same.
        let made = site.keyring.login(&site.service);
        let login = secured.user().map(|user| {
            made.unwrap_or(Login { user: user.to_owned(), password: Some(Hidden::default()) })
        });
        if let Some(Login { user, password }) = login {
            let password = password.unwrap_or_default();
            let password = password.reveal();
            let listener = listener(Some(secured)).to_ascii_lowercase();
            let jaas =
                |mechanism: &str| format!("listener.name.{listener}.{mechanism}.sasl.jaas.config");
            let module = "org.apache.kafka.common.security";
            set("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
            set("sasl.mechanism.inter.broker.protocol", "PLAIN");
            let word = quoted(password);
            let plain = format!(
                "{module}.plain.PlainLoginModule required username=\"{user}\" password={word} user_{user}={word};"
            );
            set(&jaas("plain"), &plain);
            for hash in ["scram-sha-256", "scram-sha-512"] {
                set(&jaas(hash), &format!("{module}.scram.ScramLoginModule required;"));
                let hash = hash.to_ascii_uppercase();
                lock.users.push(format!("{hash}=[name={user},password={password}]"));
            }
        }
        lock
    }
}

/// As a login configuration wants it, within a file of properties, which takes a backslash away.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"").replace('\\', "\\\\")
}

/// Arguments as a file for `java @FILE`: they may hold passwords, which the list of processes would show.
pub(crate) fn arguments(all: &[String]) -> Hidden {
    let quoted =
        all.iter().map(|arg| format!("\"{}\"\n", arg.replace('\\', "\\\\").replace('"', "\\\"")));
    Hidden::new(quoted.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_survive_the_files_that_they_stand_in() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted(r#"a"b"#), r#""a\\"b""#);
        assert_eq!(arguments(&["a b".into(), "\"".into()]).reveal(), "\"a b\"\n\"\\\"\"\n");
    }
}
