//! Which end has which place now, and the Network that gives out sockets there.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use model::{End, NodeId, Topology};
use seams::{Network, Origin};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::{
    attachment::{Attacher, Place},
    lock::lock,
    namespace::{Namespace, tcp_socket, udp_socket},
};

/// Shared by the reconciler, the nodes and the Network.
#[derive(Debug)]
pub(crate) struct Places {
    topology: Arc<Topology>,
    attacher: Attacher,
    now: Mutex<BTreeMap<End, Place>>,
}

impl Places {
    pub(crate) fn new(topology: Arc<Topology>, attacher: Attacher) -> Self {
        Self { topology, attacher, now: Mutex::default() }
    }

    fn now(&self) -> MutexGuard<'_, BTreeMap<End, Place>> {
        lock(&self.now)
    }

    /// A place for this end from now on.
    pub(crate) fn put(&self, end: End, place: Place) {
        self.now().insert(end, place);
    }

    /// This end has no place any more.
    pub(crate) fn take(&self, end: &End) -> io::Result<()> {
        let taken = self.now().remove(end);
        taken.map_or(Ok(()), |place| self.attacher.discard(place))
    }

    pub(crate) fn get(&self, end: &End) -> Option<Place> {
        self.now().get(end).cloned()
    }

    /// The first address of an end.
    pub(crate) fn first_address(&self, end: &End) -> Option<Ipv4Addr> {
        match end {
            End::Node(name) => Some(self.topology.nodes.get(name)?.address),
            End::Cell(name) => Some(self.topology.cells.get(name)?.base),
        }
    }

    fn birthplace(&self, from: &Origin) -> io::Result<(Namespace, Ipv4Addr)> {
        let place = self.get(&from.end).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NetworkDown, format!("`{}` has no power", from.end))
        })?;
        let own = match &from.end {
            End::Node(name) => self.topology.nodes.get(name).map(|node| node.address),
            End::Cell(name) => self.topology.cells.get(name).map(|cell| cell.address(from.host)),
        };
        let own = own.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("`{}` is not in the topology", from.end),
            )
        })?;
        Ok((place.namespace, own))
    }
}

#[async_trait]
impl Network for Places {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        let address =
            self.topology.nodes.get(node).map_or(Ipv4Addr::UNSPECIFIED, |node| node.address);
        SocketAddr::new(IpAddr::V4(address), port)
    }

    async fn tcp(&self, from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        let (namespace, own) = self.birthplace(from)?;
        // An asset's own address is one of many; a node has one, and reaches itself from it too.
        let source = matches!(from.end, End::Cell(_)).then_some(own);
        let socket = namespace.ask(move || tcp_socket(source)).await?;
        TcpSocket::from_std_stream(socket.into()).connect(to).await
    }

    async fn udp(&self, from: &Origin) -> io::Result<UdpSocket> {
        let (namespace, own) = self.birthplace(from)?;
        UdpSocket::from_std(namespace.ask(move || udp_socket(own, 0)).await?.into())
    }

    async fn inside(&self, from: &Origin, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let (namespace, _) = self.birthplace(from)?;
        // The namespace's own thread has little stack and others who wait; one that it starts lives there too.
        let name = format!("in {}", from.end);
        namespace.ask(move || std::thread::Builder::new().name(name).spawn(work).map(drop)).await
    }
}
