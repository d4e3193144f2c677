//! TLS of a client: whom it trusts, and how it shows who it is.

use std::{io, net::IpAddr, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::secret::{Hidden, SecretError};

/// Makes connections secret, and knows whom it speaks to. Clones share it.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// None: the address that is connected to.
    name: Option<ServerName<'static>>,
}

/// A certificate with those that signed it, and its key; all PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: Hidden,
    pub key: Hidden,
}

impl Connector {
    /// Believes servers whose certificate somebody in `ca` (PEM) has signed, and that are called `name`: the address that is connected to,
    /// where None. With `own`, servers that ask are told who connects.
    ///
    /// # Errors
    /// What is given is no PEM, or the key is not the certificate's.
    pub fn new(
        ca: &Hidden,
        own: Option<&Identity>,
        name: Option<&str>,
    ) -> Result<Self, SecretError> {
        let unusable = |what| move |why: String| SecretError::Unusable { what, why };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca).map_err(unusable("`ca`"))? {
            roots.add(certificate).map_err(|error| unusable("`ca`")(error.to_string()))?;
        }
        let building = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions")
            .with_root_certificates(roots);
        let config = match own {
            None => building.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates(certificate).map_err(unusable("`certificate`"))?;
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes())
                    .map_err(|error| unusable("`key`")(said(&error)))?;
                let made = building.with_client_auth_cert(chain, key);
                made.map_err(|error| unusable("`key`")(error.to_string()))?
            }
        };
        let name = name.map(|name| ServerName::try_from(name.to_owned())).transpose();
        let name = name.map_err(|error| unusable("`server_name`")(error.to_string()))?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// Offers to speak these protocols, the best one first (ALPN).
    #[must_use]
    pub(crate) fn offering(&self, protocols: &[&str]) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config), name: self.name.clone() }
    }

    /// The handshake as the client, on a stream that goes `to` there.
    ///
    /// # Errors
    /// See [`cause`](super::cause).
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        to: IpAddr,
    ) -> io::Result<TlsStream<S>> {
        let name = self.name.clone().unwrap_or_else(|| ServerName::IpAddress(to.into()));
        TlsConnector::from(self.config.clone()).connect(name, stream).await
    }
}

fn certificates(text: &Hidden) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.reveal().as_bytes()).collect();
    match all {
        Ok(some) if some.is_empty() => Err("it holds no certificate in PEM".to_owned()),
        Ok(some) => Ok(some),
        Err(error) => Err(said(&error)),
    }
}

fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "it holds none in PEM".to_owned(),
        other => other.to_string(),
    }
}
