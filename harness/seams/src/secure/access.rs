//! What a client has in hand when it connects.

use std::{io, net::SocketAddr};

use super::{
    refusal::Refusal,
    secret::{Hidden, SecretError},
    stream::Stream,
    tls::{Connector, Identity},
};
use crate::{LastRead, Network, Origin, Stamped};

/// A name and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: Option<Hidden>,
}

/// What a client shows, and whom it believes; nothing of it was tried yet.
#[derive(Clone, Debug, Default)]
pub struct Material {
    pub login: Option<Login>,
    pub token: Option<Hidden>,
    /// PEM. Without it there is no TLS.
    pub ca: Option<Hidden>,
    pub own: Option<Identity>,
    /// The name that the server's certificate has to have. None: the address that is connected to.
    pub server_name: Option<String>,
}

/// The same, ready for use. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub login: Option<Login>,
    pub token: Option<Hidden>,
    pub tls: Option<Connector>,
    /// Why nothing of it can be had.
    refused: Option<Refusal>,
}

impl Material {
    /// # Errors
    /// Certificates or the key are not what they should be.
    pub fn access(self) -> Result<Access, SecretError> {
        let Self { login, token, ca, own, server_name } = self;
        let tls = ca.map(|ca| Connector::new(&ca, own.as_ref(), server_name.as_deref()));
        Ok(Access { login, token, tls: tls.transpose()?, refused: None })
    }
}

impl Access {
    /// Of somebody who lacks what the scenario promised: no connection is tried.
    pub fn none(why: Refusal) -> Self {
        Self { refused: Some(why), ..Self::default() }
    }

    /// The same without a user, for ports where nobody logs in.
    #[must_use]
    pub fn without_login(self) -> Self {
        Self { login: None, token: None, ..self }
    }

    /// The same, and offers to speak these protocols under TLS, the best one first.
    #[must_use]
    pub fn offering(self, protocols: &[&str]) -> Self {
        let tls = self.tls.map(|tls| tls.offering(protocols));
        Self { tls, ..self }
    }

    /// # Errors
    /// Something of it is not there, or cannot be used.
    pub fn usable(&self) -> io::Result<()> {
        self.refused.map_or(Ok(()), |why| Err(why.into()))
    }

    /// A connected stream, under TLS where that is wanted, and when it was read last. No patience of its own.
    ///
    /// # Errors
    /// The server cannot be reached, or one side does not believe the other: [`cause`](super::cause) names that.
    pub async fn open(
        &self,
        network: &dyn Network,
        from: &Origin,
        to: SocketAddr,
    ) -> io::Result<(Stream, LastRead)> {
        self.usable()?;
        let stream = network.tcp(from, to).await?;
        stream.set_nodelay(true)?;
        let read = LastRead::new();
        let stream = self.wrap(Stamped { stream, read: read.clone() }).await?;
        Ok((stream, read))
    }

    /// The socket under TLS, where that is wanted; as it is otherwise. No patience of its own.
    ///
    /// # Errors
    /// The handshake failed; [`cause`](super::cause) says why.
    pub async fn wrap(&self, socket: Stamped) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(Stream::Plain(socket)),
            Some(tls) => {
                let to = socket.stream.peer_addr()?.ip();
                Ok(Stream::Tls(Box::new(tls.connect(socket, to).await?)))
            }
        }
    }
}
