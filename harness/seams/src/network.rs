//! Where sockets are born: the only way to the network.

use std::{any::Any, error::Error, fmt, io, net::SocketAddr};

use async_trait::async_trait;
use model::{CellId, End, NodeId};
use tokio::net::{TcpStream, UdpSocket};

/// Whose address a socket has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    pub end: End,
    /// Number of the address within a cell; ignored for a node.
    pub host: u32,
}

impl Origin {
    /// Inside a node itself: for probes, which never cross the fabric.
    pub fn node(node: &NodeId) -> Self {
        Self { end: End::Node(node.clone()), host: 0 }
    }

    /// One asset or observer of a cell.
    pub fn cell(cell: &CellId, host: u32) -> Self {
        Self { end: End::Cell(cell.clone()), host }
    }
}

#[async_trait]
pub trait Network: fmt::Debug + Send + Sync {
    /// Where a node's port is reached.
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr;

    /// A connected stream. No timeout of its own: drop the future to give up.
    async fn tcp(&self, from: &Origin, to: SocketAddr) -> io::Result<TcpStream>;

    /// A bound socket on a free port.
    async fn udp(&self, from: &Origin) -> io::Result<UdpSocket>;

    /// Runs this on a thread that lives where `from` does: sockets that it opens are born there, and so are those of threads that it starts.
    /// For client libraries that open their own sockets; all of them come from the first address of `from`.
    ///
    /// # Errors
    /// The place has no power, or this network has no threads to give.
    async fn inside(&self, from: &Origin, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let _ = (from, work);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What a socket of this network came to, later than at its birth. Whoever sends says so, since an error may be this machine's.
    fn failed(&self, error: &(dyn Error + 'static)) {
        let _ = error;
    }

    /// For a lab without a network: what its own system finds there instead of sockets.
    fn memory(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}
