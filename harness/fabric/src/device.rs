//! Where packets come from: a TUN device, or a packet socket on a veth end. Opening happens in the
//! right network namespace, so the lab calls these helpers from a thread that has entered it.
//! Every frame begins with a `virtio_net_hdr` of 10 bytes, which passes through untouched.

use std::fs::OpenOptions;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::counters::Engine;
use crate::netlink::Netlink;
use crate::policy::{PortId, Prefix};
use crate::sys::{self, Ring, Slot};

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
    /// Of a packet socket.
    ring: Option<Ring>,
}

/// The half of a device that many may use: writing, counters.
#[derive(Debug)]
pub(crate) struct Port {
    fd: OwnedFd,
    engine: Engine,
    index: u32,
    /// In the device's own namespace, to read its counters.
    netlink: Netlink,
    /// Drops of a packet socket: those that PACKET_STATISTICS reported and then forgot, and cut ones.
    dropped: AtomicU64,
}

/// The half that one worker reads.
#[derive(Debug)]
pub(crate) struct Source {
    port: Arc<Port>,
    ring: Option<Ring>,
}

/// Makes a TUN device in the calling thread's network namespace, with offload on. It is down and has
/// no address: see [`Netlink`].
pub fn tun_open(name: &str) -> io::Result<Device> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    let fd = OwnedFd::from(file);
    sys::tun_attach(fd.as_fd(), name)?;
    sys::tun_offload(fd.as_fd(), true)?;
    let netlink = Netlink::open()?;
    let index = sys::interface_index(name)?;
    netlink.set_queue(index, TUN_QUEUE_PACKETS)?;
    Ok(Device::new(fd, Engine::Tun, index, netlink, None))
}

/// Opens a packet socket on `interface` (the harness's end of a veth pair) in the calling thread's
/// network namespace.
pub fn af_packet_open(interface: &str) -> io::Result<Device> {
    let index = sys::interface_index(interface)?;
    let (fd, ring) = sys::packet_socket(index)?;
    Ok(Device::new(fd, Engine::AfPacket, index, Netlink::open()?, Some(ring)))
}

/// Switches segmentation and checksum offload of a veth end, in the calling thread's network
/// namespace. The *sending* end decides: call it in the node's namespace for links that leave the node.
pub fn veth_offload(interface: &str, on: bool) -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::ethtool_offload(socket.as_fd(), interface, on)
}

impl Device {
    fn new(fd: OwnedFd, engine: Engine, index: u32, netlink: Netlink, ring: Option<Ring>) -> Self {
        Self { port: Arc::new(Port { fd, engine, index, netlink, dropped: AtomicU64::new(0) }), ring }
    }

    pub fn engine(&self) -> Engine {
        self.port.engine
    }

    /// Index of the interface in its own namespace.
    pub fn index(&self) -> u32 {
        self.port.index
    }

    pub(crate) fn split(self) -> (Arc<Port>, Source) {
        let Self { port, ring } = self;
        (port.clone(), Source { port, ring })
    }
}

impl Port {
    /// Switches a TUN's offload; from then on its stack hands over single packets with full checksums
    /// (off) or super-packets (on). For a veth use [`veth_offload`]: here it is an error.
    pub(crate) fn set_offload(&self, on: bool) -> io::Result<()> {
        match self.engine {
            Engine::Tun => sys::tun_offload(self.fd.as_fd(), on),
            Engine::AfPacket => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    /// Packets the kernel dropped before they could be read, since the device was opened.
    pub(crate) fn kernel_drops(&self) -> io::Result<u64> {
        match self.engine {
            Engine::Tun => Ok(self.netlink.link_stats(self.index)?.tx_dropped),
            Engine::AfPacket => {
                let new = sys::packet_drops(self.fd.as_fd())?;
                Ok(self.dropped.fetch_add(new, Ordering::Relaxed) + new)
            }
        }
    }

    /// Hands a frame, given in parts, to the stack behind the device.
    pub(crate) fn write(&self, frame: &[IoSlice<'_>]) -> io::Result<usize> {
        match frame {
            [whole] => Ok(rustix::io::write(&self.fd, whole)?),
            parts => Ok(rustix::io::writev(&self.fd, parts)?),
        }
    }
}

impl Source {
    /// Shows the next frame, or `WouldBlock`. `buffer` must hold the largest one.
    pub(crate) fn next(&mut self, buffer: &mut [u8], look: impl FnOnce(&[u8])) -> io::Result<()> {
        let length = match &mut self.ring {
            None => rustix::io::read(&self.port.fd, &mut *buffer)?,
            Some(ring) => {
                let mut look = Some(look);
                loop {
                    let taken = ring.next(|slot| match slot {
                        Slot::Frame(frame) => {
                            look.take().expect("one frame is shown at most")(frame);
                            Taken::Shown
                        }
                        Slot::Oversized => Taken::Oversized,
                        Slot::Lost => Taken::Lost,
                        Slot::Empty => Taken::Nothing,
                    });
                    match taken {
                        Taken::Shown => return Ok(()),
                        Taken::Lost => drop(self.port.dropped.fetch_add(1, Ordering::Relaxed)),
                        // An error of the socket, such as a link that went down, keeps waking the worker until it is read.
                        Taken::Nothing => return Err(socket_error(&self.port.fd)?.err().unwrap_or(Errno::AGAIN).into()),
                        Taken::Oversized => {
                            let length = rustix::io::read(&self.port.fd, &mut *buffer)?;
                            look.take().expect("one frame is shown at most")(&buffer[..length]);
                            return Ok(());
                        }
                    }
                }
            }
        };
        look(&buffer[..length]);
        Ok(())
    }
}

/// What became of a slot.
enum Taken {
    Shown,
    Oversized,
    Lost,
    Nothing,
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.fd.as_fd()
    }
}
