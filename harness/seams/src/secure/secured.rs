//! How the servers of a service are secured, as a scenario writes it.

use document::Complaint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// How the servers are secured. Certificates, and a password that no secret names, are made for the run and live in its lab only; clients
/// of the service take them unless their `credentials` say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
pub struct Secured(Written);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// Whether connections are under TLS, and who shows a certificate.
    pub tls: ServerTls,
    /// Who may log in, with a password. Default: nobody has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of `user`. Default: one that is made for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// Who shows a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerTls {
    /// Nobody: connections are in the clear.
    None,
    /// The server, signed by the authority of the run.
    #[default]
    Server,
    /// Both: a client without a certificate of the same authority is turned away.
    Mutual,
}

impl TryFrom<Written> for Secured {
    type Error = Complaint;

    fn try_from(written: Written) -> Result<Self, Complaint> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        match &written.user {
            Some(user) if user.is_empty() || !user.chars().all(plain) => {
                let message = format!("`{user}` is no plain name of a user");
                Err(Complaint::new("range", message)
                    .help("Letters, digits, `_`, `-` and `.` belong there"))
            }
            None if written.password.is_some() => {
                let message = "a password, and nobody who has it";
                Err(Complaint::new("missing", message).help("Add `user: NAME`"))
            }
            None if written.tls == ServerTls::None => {
                let message = "neither `tls` nor a `user`: nothing would be secured";
                Err(Complaint::new("missing", message)
                    .help("Write `tls: server`, `tls: mutual` or `user: NAME`, or leave it out"))
            }
            _ => Ok(Self(written)),
        }
    }
}

impl Secured {
    pub fn tls(&self) -> ServerTls {
        self.0.tls
    }

    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    pub fn password(&self) -> Option<&Secret> {
        self.0.password.as_ref()
    }
}
