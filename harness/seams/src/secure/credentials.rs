//! What a client shows and whom it believes, as a scenario writes it for drivers and observers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    access::{Access, Login, Material},
    secret::{Secret, SecretError},
    tls::Identity,
};

/// Who a client says it is, and whom it believes. What is left out is taken from what was made for the run, where the service is `secured`;
/// else it is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// Who connects.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The password of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Secret>,
    /// A token in place of a user and a password, for systems that take one.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    /// TLS with files of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
}

/// Whom a client believes, and how it shows who it is; everything is PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Tls {
    /// Certificates of those who may sign a server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<Secret>,
    /// The client's own certificate, with those between it and the server's authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Secret>,
    /// The key of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Secret>,
    /// The name that the server's certificate must have. Default: the address that is connected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
}

impl Credentials {
    /// Reads what they name; `made` is what was made for the run.
    ///
    /// # Errors
    /// Something is not there or cannot be used.
    pub fn open(&self, made: Material) -> Result<Access, SecretError> {
        let read = |secret: &Option<Secret>| secret.as_ref().map(Secret::read).transpose();
        let (password, token) = (read(&self.password)?, read(&self.token)?);
        let mut material = made;
        if let Some(user) = &self.user {
            // Whoever names a user says all of it: the made password is another user's.
            material.login = Some(Login { user: user.clone(), password });
        } else if password.is_some() {
            let login =
                material.login.as_mut().ok_or(unusable("`password`", "it has no `user`"))?;
            login.password = password;
        }
        material.token = token.or(material.token);
        if let Some(tls) = &self.tls {
            material.ca = read(&tls.ca)?.or(material.ca);
            if material.ca.is_none() {
                return Err(unusable("`tls`", "it has no `ca`, and the service is not `secured`"));
            }
            material.own = match (read(&tls.certificate)?, read(&tls.key)?) {
                (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
                (None, None) => material.own,
                _ => return Err(unusable("`tls`", "`certificate` and `key` belong together")),
            };
            material.server_name = tls.server_name.clone();
        }
        material.access()
    }
}

fn unusable(what: &'static str, why: &str) -> SecretError {
    SecretError::Unusable { what, why: why.to_owned() }
}
