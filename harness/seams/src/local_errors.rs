//! What a machine refuses its own programs, told apart from what the other side of a connection does.

use std::{
    any::Any,
    collections::BTreeMap,
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use model::{NodeId, event::LocalError};
use rustix::io::Errno;
use tokio::net::{TcpStream, UdpSocket};

use crate::{Network, Origin};

/// The refusal of this machine behind an error, if it is one: of an `io::Error`, or of anything that has one as a cause.
fn local_error(error: &(dyn Error + 'static)) -> Option<LocalError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            // The cause of one that wraps another error is the cause of that other one.
            let wrapped = found.get_ref().and_then(|inner| local_error(inner));
            return of_io(found).or(wrapped);
        }
        cause = error.source();
    }
    None
}

fn of_io(error: &io::Error) -> Option<LocalError> {
    let errno = Errno::from_io_error(error)?;
    LocalError::ALL.into_iter().find(|local| self::errno(*local) == errno)
}

fn errno(error: LocalError) -> Errno {
    match error {
        LocalError::TooManyOpenFiles => Errno::MFILE,
        LocalError::FileTableFull => Errno::NFILE,
        LocalError::NoFreePort => Errno::ADDRNOTAVAIL,
        LocalError::NoBuffers => Errno::NOBUFS,
        LocalError::NoMemory => Errno::NOMEM,
    }
}

/// How often the machine refused what. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct LocalErrors(Arc<Mutex<BTreeMap<LocalError, u64>>>);

impl LocalErrors {
    /// Counts an error that is this machine's; every other one is somebody else's.
    pub fn note(&self, error: &(dyn Error + 'static)) {
        if let Some(local) = local_error(error) {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(local).or_default() += 1;
        }
    }

    pub fn counted(&self) -> BTreeMap<LocalError, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A network that counts what this machine refuses: every socket of a run is born in one, so nobody can forget to.
#[derive(Debug)]
pub struct CountedNetwork {
    network: Arc<dyn Network>,
    errors: LocalErrors,
}

impl CountedNetwork {
    pub fn new(network: Arc<dyn Network>, errors: LocalErrors) -> Self {
        Self { network, errors }
    }

    fn noted<T>(&self, born: io::Result<T>) -> io::Result<T> {
        born.inspect_err(|error| self.errors.note(error))
    }
}

#[async_trait]
impl Network for CountedNetwork {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        self.network.address(node, port)
    }

    async fn tcp(&self, from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        self.noted(self.network.tcp(from, to).await)
    }

    async fn udp(&self, from: &Origin) -> io::Result<UdpSocket> {
        self.noted(self.network.udp(from).await)
    }

    async fn inside(&self, from: &Origin, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        self.network.inside(from, work).await
    }

    fn failed(&self, error: &(dyn Error + 'static)) {
        self.errors.note(error);
    }

    fn memory(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.network.memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("send a reading")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn every_refusal_of_the_machine_is_found_wherever_it_is_the_cause() {
        for local in LocalError::ALL {
            let io = || io::Error::from(errno(local));
            assert_eq!(local_error(&io()), Some(local));
            assert_eq!(local_error(&Wrapped(io())), Some(local));
            assert_eq!(local_error(&io::Error::other(Wrapped(io()))), Some(local));
            assert_eq!(local_error(&Wrapped(io::Error::other(io()))), Some(local));
        }
    }

    #[test]
    fn what_the_other_side_does_is_not_the_machines() {
        let others = [
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::HOSTUNREACH,
            Errno::NETUNREACH,
            Errno::TIMEDOUT,
            Errno::PIPE,
            Errno::NOSPC,
            Errno::IO,
        ];
        let errors = LocalErrors::default();
        for errno in others {
            errors.note(&Wrapped(errno.into()));
        }
        errors.note(&io::Error::other("no errno at all"));
        assert_eq!(errors.counted(), BTreeMap::new());
        errors.clone().note(&io::Error::from(Errno::MFILE));
        errors.note(&io::Error::from(Errno::MFILE));
        assert_eq!(errors.counted(), BTreeMap::from([(LocalError::TooManyOpenFiles, 2)]));
    }
}
