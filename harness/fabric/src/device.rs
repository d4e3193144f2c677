//! Where packets come from: a TUN device, or a packet socket on a veth end. Opening happens in the
//! right network namespace, so the lab calls these helpers from a thread that has entered it.
//! Every frame begins with a `virtio_net_hdr` of 10 bytes, which passes through untouched.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
    fd: OwnedFd,
    engine: Engine,
    index: u32,
    /// In the device's own namespace, to read its counters.
    netlink: Netlink,
    /// Of a packet socket. Only the worker reads, so the lock is never waited for.
    ring: Option<Mutex<Ring>>,
    /// Drops of a packet socket: those that PACKET_STATISTICS reported and then forgot, and cut ones.
    dropped: AtomicU64,
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
    Ok(Device { fd, engine: Engine::Tun, index, netlink, ring: None, dropped: AtomicU64::new(0) })
}

/// Opens a packet socket on `interface` (the harness's end of a veth pair) in the calling thread's
/// network namespace.
pub fn af_packet_open(interface: &str) -> io::Result<Device> {
    let index = sys::interface_index(interface)?;
    let (fd, ring) = sys::packet_socket(index)?;
    let ring = Some(Mutex::new(ring));
    Ok(Device { fd, engine: Engine::AfPacket, index, netlink: Netlink::open()?, ring, dropped: AtomicU64::new(0) })
}

/// Switches segmentation and checksum offload of a veth end, in the calling thread's network
/// namespace. The *sending* end decides: call it in the node's namespace for links that leave the node.
pub fn veth_offload(interface: &str, on: bool) -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::ethtool_offload(socket.as_fd(), interface, on)
}

impl Device {
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Index of the interface in its own namespace.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Switches a TUN's offload; from then on its stack hands over single packets with full checksums
    /// (off) or super-packets (on). For a veth use [`veth_offload`]: here it is an error.
    pub fn set_offload(&self, on: bool) -> io::Result<()> {
        match self.engine {
            Engine::Tun => sys::tun_offload(self.fd.as_fd(), on),
            Engine::AfPacket => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    /// Packets the kernel dropped before they could be read, since the device was opened.
    pub fn kernel_drops(&self) -> io::Result<u64> {
        match self.engine {
            Engine::Tun => Ok(self.netlink.link_stats(self.index)?.tx_dropped),
            Engine::AfPacket => {
                let new = sys::packet_drops(self.fd.as_fd())?;
                Ok(self.dropped.fetch_add(new, Ordering::Relaxed) + new)
            }
        }
    }

    /// The next frame, or `WouldBlock`.
    pub(crate) fn read(&self, frame: &mut [u8]) -> io::Result<usize> {
        let Some(ring) = &self.ring else { return Ok(rustix::io::read(&self.fd, frame)?) };
        let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ring.take(frame) {
                Slot::Frame(length) => return Ok(length),
                Slot::Oversized => return Ok(rustix::io::read(&self.fd, frame)?),
                Slot::Lost => drop(self.dropped.fetch_add(1, Ordering::Relaxed)),
                // An error of the socket, such as a link that went down, keeps waking the worker until it is read.
                Slot::Empty => return Err(socket_error(&self.fd)?.err().unwrap_or(Errno::AGAIN).into()),
            }
        }
    }

    pub(crate) fn write(&self, frame: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.fd, frame)?)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
