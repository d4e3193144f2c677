//! Where packets come from: a TUN device, or a packet socket on a veth end. Opening happens in the
//! right network namespace, so the lab calls these helpers from a thread that has entered it.
//! Every frame begins with a `virtio_net_hdr` of 10 bytes. Nothing here looks at it: the switch passes it on as it came, or writes
//! another one where it takes a super-packet apart or damages a packet.

use std::fs::OpenOptions;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::counters::Engine;
use crate::netlink::Netlink;
use crate::policy::{PortId, Prefix};
use crate::sys::{self, Ring, Size, Slot};

/// Packets that may wait to be read from one TUN.
const TUN_QUEUE_PACKETS: u32 = 8_192;

/// A port as it is added: who it is, which addresses live behind it, and its device.
#[derive(Debug)]
pub struct PortSpec {
    pub id: PortId,
    pub prefixes: Vec<Prefix>,
    pub device: Device,
}

/// An open device. Dropping it removes a TUN.
#[derive(Debug)]
pub struct Device {
    port: Arc<Port>,
    rings: Option<[Ring; 2]>,
}

/// The half of a device that many may use: writing, counters.
#[derive(Debug)]
pub(crate) struct Port {
    /// The TUN, or the packet sockets for short and for long frames. Whichever is first is written to.
    fds: Vec<OwnedFd>,
    engine: Engine,
    index: u32,
    /// In the device's own namespace, to read its counters.
    netlink: Netlink,
    /// Drops of packet sockets: those that PACKET_STATISTICS reported and then forgot, and cut ones.
    dropped: AtomicU64,
}

/// The half that one worker reads.
#[derive(Debug)]
pub(crate) struct Source {
    port: Arc<Port>,
    /// Of packet sockets: for short and for long frames.
    rings: Option<[Ring; 2]>,
}

/// Makes a TUN device in the calling thread's network namespace, with offload on. It is down and has
/// no address: see [`Netlink`].
pub fn tun_open(name: &str) -> io::Result<Device> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    let fd = OwnedFd::from(file);
    sys::tun_attach(fd.as_fd(), name)?;
    sys::tun_offload(fd.as_fd(), true)?;
    let netlink = Netlink::open()?;
    let index = sys::interface_index(name)?;
    netlink.set_queue(index, TUN_QUEUE_PACKETS)?;
    Ok(Device::new(vec![fd], Engine::Tun, index, netlink, None))
}

/// Opens packet sockets on `interface` (the harness's end of a veth pair) in the calling thread's
/// network namespace.
pub fn af_packet_open(interface: &str) -> io::Result<Device> {
    let index = sys::interface_index(interface)?;
    let (short_fd, short) = sys::packet_socket(index, Size::Short)?;
    let (long_fd, long) = sys::packet_socket(index, Size::Long)?;
    Ok(Device::new(
        vec![short_fd, long_fd],
        Engine::AfPacket,
        index,
        Netlink::open()?,
        Some([short, long]),
    ))
}

/// Switches segmentation and checksum offload of a veth end, in the calling thread's network
/// namespace. The *sending* end decides: call it in the node's namespace for links that leave the node.
pub fn veth_offload(interface: &str, on: bool) -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::ethtool_offload(socket.as_fd(), interface, on)
}

impl Device {
    fn new(
        fds: Vec<OwnedFd>,
        engine: Engine,
        index: u32,
        netlink: Netlink,
        rings: Option<[Ring; 2]>,
    ) -> Self {
        Self {
            port: Arc::new(Port { fds, engine, index, netlink, dropped: AtomicU64::new(0) }),
            rings,
        }
    }

    pub fn engine(&self) -> Engine {
        self.port.engine
    }

    /// Index of the interface in its own namespace.
    pub fn index(&self) -> u32 {
        self.port.index
    }

    pub(crate) fn split(self) -> (Arc<Port>, Source) {
        let Self { port, rings } = self;
        (port.clone(), Source { port, rings })
    }
}

impl Port {
    /// Switches a TUN's offload; from then on its stack hands over single packets with full checksums
    /// (off) or super-packets (on). For a veth use [`veth_offload`]: here it is an error.
    pub(crate) fn set_offload(&self, on: bool) -> io::Result<()> {
        match self.engine {
            Engine::Tun => sys::tun_offload(self.fds[0].as_fd(), on),
            Engine::AfPacket => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    /// Packets the kernel dropped before they could be read, since the device was opened.
    pub(crate) fn kernel_drops(&self) -> io::Result<u64> {
        match self.engine {
            Engine::Tun => Ok(self.netlink.link_stats(self.index)?.tx_dropped),
            Engine::AfPacket => {
                let new = self
                    .fds
                    .iter()
                    .map(|fd| sys::packet_drops(fd.as_fd()))
                    .sum::<io::Result<u64>>()?;
                Ok(self.dropped.fetch_add(new, Ordering::Relaxed) + new)
            }
        }
    }

    /// Hands a frame, given in parts, to the stack behind the device.
    pub(crate) fn write(&self, frame: &[IoSlice<'_>]) -> io::Result<usize> {
        match frame {
            [whole] => Ok(rustix::io::write(&self.fds[0], whole)?),
            parts => Ok(rustix::io::writev(&self.fds[0], parts)?),
        }
    }
}

impl Source {
    /// What to wait on.
    pub(crate) fn fds(&self) -> &[OwnedFd] {
        &self.port.fds
    }

    /// Shows the next frame, or `WouldBlock`. `buffer` must hold the largest one.
    pub(crate) fn next(&mut self, buffer: &mut [u8], look: impl FnOnce(&[u8])) -> io::Result<()> {
        let Some(rings) = &mut self.rings else {
            let length = rustix::io::read(&self.port.fds[0], &mut *buffer)?;
            look(&buffer[..length]);
            return Ok(());
        };
        let shown = first(rings).and_then(|ring| {
            ring.next(|slot| match slot {
                Slot::Frame(frame) => look(frame),
                Slot::Cut => drop(self.port.dropped.fetch_add(1, Ordering::Relaxed)),
            })
        });
        // An error of a socket, such as a link that went down, keeps waking the worker until it is read.
        let trouble = || self.port.fds.iter().find_map(|fd| socket_error(fd).ok()?.err());
        shown.ok_or_else(|| trouble().unwrap_or(Errno::AGAIN).into())
    }
}

/// The ring whose next frame came first; None while both are empty. The kernel puts the packets of a flow into their rings one after
/// the other. So the short ring is looked at again once the long one shows something: whatever came before that is in it by then.
fn first(rings: &mut [Ring; 2]) -> Option<&mut Ring> {
    let [short, long] = rings;
    let seen = short.stamp();
    let then = long.stamp();
    match (seen.or_else(|| then.and_then(|_| short.stamp())), then) {
        (Some(short_came), Some(long_came)) if long_came < short_came => Some(long),
        (Some(_), _) => Some(short),
        (None, Some(_)) => Some(long),
        (None, None) => None,
    }
}
