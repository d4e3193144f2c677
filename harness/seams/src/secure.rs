//! TLS, passwords and tokens: where a scenario keeps them, what is made for a run, and sockets that are secured with them.

mod access;
mod credentials;
mod keyring;
mod refusal;
mod secret;
mod secured;
mod stream;
mod tls;

pub use access::{Access, Login, Material};
pub use credentials::Credentials;
pub use keyring::{Keyring, ServerKeys};
pub use refusal::{Refusal, cause};
pub use secret::{Hidden, Secret, SecretError};
pub use secured::{Secured, ServerTls};
pub use stream::Stream;
pub use tls::{Connector, Identity};

#[cfg(test)]
mod tests;
