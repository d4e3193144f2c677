//! Where an end of a link is: its network namespace, its device in it, and its port of the fabric. A node that loses its power
//! loses its place, and gets a new one with the same address when it returns.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    sync::atomic::{AtomicU32, Ordering},
};

use fabric::{
    CANARY_PORT, Device, Engine, Fabric, PortId, PortSpec, Prefix,
    netlink::{Netlink, RouteKind, VethEnd},
};
use model::topology::{Cell, Node};

use crate::namespace::{self, Namespace};

/// Name of the device in every namespace.
const DEVICE: &str = "wd0";
/// Everything in a lab lives here (RFC 2544); no default route, so that nothing leaves.
const LAB: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);
const LOOPBACK: u32 = 1;
/// Bytes of an IP packet, Ethernet's usual.
const MTU: u32 = 1500;
/// Ends have no neighbours to resolve: one address for all of them, and another for the fabric's side.
const END_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
const FABRIC_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];

/// Addresses behind a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub first: Ipv4Addr,
    /// 32 for a node; less where the whole prefix is the end's own (AnyIP).
    pub prefix: u8,
}

impl From<&Node> for Addresses {
    fn from(node: &Node) -> Self {
        Self { first: node.address, prefix: 32 }
    }
}

impl From<&Cell> for Addresses {
    fn from(cell: &Cell) -> Self {
        Self { first: cell.base, prefix: cell.prefix }
    }
}

/// Makes places, all of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Attacher {
    pub fabric: Arc<Fabric>,
    /// Holds the fabric's ends of veth pairs. A TUN has no second end.
    veths: Option<Namespace>,
    next_veth: Arc<AtomicU32>,
    /// The machine's own where none is wished.
    congestion: Option<String>,
}

impl Attacher {
    pub(crate) fn new(fabric: Arc<Fabric>, congestion: Option<String>) -> io::Result<Self> {
        let veths = match fabric.engine() {
            Engine::Tun => None,
            Engine::AfPacket => Some(Namespace::new("fabric")?),
        };
        Ok(Self { fabric, veths, next_veth: Arc::default(), congestion })
    }

    /// A new namespace with its device, addresses and routes, known to the fabric under `id`. Waits for the kernel: some
    /// milliseconds.
    pub(crate) fn place(&self, name: &str, id: PortId, addresses: Addresses) -> io::Result<Place> {
        let namespace = Namespace::new(name)?;
        if let Some(congestion) = &self.congestion {
            namespace.set_congestion(congestion)?;
        }
        let device = match &self.veths {
            None => namespace.run(|| fabric::tun_open(DEVICE))?,
            Some(veths) => {
                let near = format!("v{}", self.next_veth.fetch_add(1, Ordering::Relaxed));
                let far = namespace.clone();
                veths.run(move || open_veth(&near, &far))?
            }
        };
        let canaries = namespace.run(move || {
            configure(addresses)?;
            namespace::udp_socket(addresses.first, CANARY_PORT)
        })?;
        let prefixes = vec![Prefix::new(IpAddr::V4(addresses.first), addresses.prefix)];
        self.fabric.add_port(PortSpec { id, prefixes, device }).map_err(io::Error::other)?;
        Ok(Place { namespace, id, canaries: Arc::new(canaries) })
    }

    /// Takes the device away. The namespace goes with the last process and socket in it.
    pub(crate) fn discard(&self, place: Place) -> io::Result<()> {
        self.fabric.remove_port(place.id).map_err(io::Error::other)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub namespace: Namespace,
    pub id: PortId,
    /// Canaries end here unread, so that no kernel answers them with an ICMP error.
    pub canaries: Arc<OwnedFd>,
}

fn open_veth(near: &str, far: &Namespace) -> io::Result<Device> {
    let netlink = Netlink::open()?;
    netlink.add_veth(
        VethEnd { name: near, mac: FABRIC_MAC, mtu: MTU, netns: None },
        VethEnd { name: DEVICE, mac: END_MAC, mtu: MTU, netns: Some(far.as_fd()) },
    )?;
    let device = fabric::af_packet_open(near)?;
    netlink.set_link(device.index(), true, false)?;
    Ok(device)
}

fn configure(addresses: Addresses) -> io::Result<()> {
    let netlink = Netlink::open()?;
    let index = netlink.link_index(DEVICE)?;
    let first = IpAddr::V4(addresses.first);
    netlink.set_link(index, true, false)?;
    netlink.add_address(index, first, 32)?;
    netlink.add_route(index, IpAddr::V4(LAB.0), LAB.1, RouteKind::Unicast, Some(first))?;
    if addresses.prefix < 32 {
        netlink.add_route(LOOPBACK, first, addresses.prefix, RouteKind::Local, None)?;
    }
    Ok(())
}
