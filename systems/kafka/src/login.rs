//! A connection on which the broker knows who speaks: TLS, then SASL in Kafka's own frames, each step once.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use kafka_protocol::{
    error::{ParseResponseErrorCode, ResponseError},
    messages::{ApiVersionsRequest, SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};
use schemars::JsonSchema;
use seams::{
    Network, Origin, Site,
    secure::{Access, Credentials, Login, Refusal},
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::{
    scram::{Hash, Salted, Scram},
    wire::{self, Wire, WireError},
};

/// How a password is proven, where `credentials` or the service's `secured` name a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sasl {
    /// The password itself is sent.
    Plain,
    /// SCRAM-SHA-256.
    #[serde(rename = "scram_sha_256")]
    ScramSha256,
    /// SCRAM-SHA-512.
    #[default]
    #[serde(rename = "scram_sha_512")]
    ScramSha512,
}

impl Sasl {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What a client shows and believes. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    access: Access,
    sasl: Sasl,
    salted: Arc<Salted>,
}

const REFUSED: Refusal = Refusal("the broker refused the user or the password");
const OTHER_SASL: Refusal = Refusal("the broker does not take this `sasl`");
const NOT_WANTED: Refusal = Refusal("the broker wants no login on this port");
const FOREIGN: Refusal = Refusal("the broker's SCRAM cannot be understood");
const IMPOSTOR: Refusal = Refusal("the broker does not know the user's password itself");

impl Door {
    pub(crate) fn of(site: &Site, credentials: &Credentials, sasl: Sasl) -> Self {
        Self { access: site.access(credentials), sasl, salted: Arc::default() }
    }

    /// Of a controller: nobody logs in there.
    pub(crate) fn without_login(self) -> Self {
        Self { access: self.access.without_login(), ..self }
    }

    /// Connects, and drives the connection in a task that resolves with the reason when it has ended.
    pub(crate) async fn open(
        &self,
        network: &dyn Network,
        from: &Origin,
        to: SocketAddr,
    ) -> io::Result<(Wire, JoinHandle<&'static str>)> {
        let (wire, driving) = wire::open(network, from, to, &self.access).await?;
        let shown = match &self.access.login {
            Some(login) => self.log_in(&wire, login).await,
            // A broker that does not accept the client's certificate says so to the first request.
            None if self.access.tls.is_some() => {
                let asked = wire.call(&ApiVersionsRequest::default(), 0).await;
                asked.map(drop).map_err(Failed::Wire)
            }
            None => Ok(()),
        };
        match shown {
            Ok(()) => Ok((wire, driving)),
            Err(Failed::Refused(refusal)) => Err(refusal.into()),
            Err(Failed::Wire(error)) => {
                drop(wire);
                let why = driving.await.map(Refusal);
                Err(why.map_or_else(|_| io::Error::other(error), Into::into))
            }
        }
    }

    async fn log_in(&self, wire: &Wire, login: &Login) -> Result<(), Failed> {
        let password = login.password.as_ref().map_or("", |password| password.reveal());
        let mechanism = StrBytes::from_static_str(self.sasl.name());
        let handshake = SaslHandshakeRequest::default().with_mechanism(mechanism);
        let answer = wire.call(&handshake, 1).await?.response;
        match answer.error_code.err() {
            None => {}
            Some(ResponseError::IllegalSaslState) => return Err(NOT_WANTED.into()),
            Some(_) => return Err(OTHER_SASL.into()),
        }
        let hash = match self.sasl {
            Sasl::Plain => {
                return step(wire, format!("\0{}\0{password}", login.user)).await.map(drop);
            }
            Sasl::ScramSha256 => Hash::Sha256,
            Sasl::ScramSha512 => Hash::Sha512,
        };
        let scram = Scram::new(hash, &login.user);
        let said = step(wire, scram.first()).await?;
        let (last, expected) = scram.last(&said, password, &self.salted).map_err(|_| FOREIGN)?;
        let said = step(wire, last).await?;
        if expected.is(&said) { Ok(()) } else { Err(IMPOSTOR.into()) }
    }
}

/// One message, and what the broker says to it.
async fn step(wire: &Wire, message: String) -> Result<String, Failed> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
    let answer = wire.call(&request, 2).await?.response;
    if answer.error_code.err().is_some() {
        return Err(REFUSED.into());
    }
    String::from_utf8(answer.auth_bytes.to_vec()).map_err(|_| FOREIGN.into())
}

/// Why a login did not come to its end.
enum Failed {
    Wire(WireError),
    Refused(Refusal),
}

impl From<WireError> for Failed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
