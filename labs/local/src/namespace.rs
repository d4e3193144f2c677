//! A network namespace, held by a thread that lives in it. Whatever has to be born inside (devices, addresses, sockets) is made
//! by a closure that the thread runs; the rest of the harness may then use it from anywhere.

use std::{
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, mpsc},
    thread,
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, bind, socket_with},
    thread::UnshareFlags,
};
use tokio::sync::oneshot;

use crate::sys;

/// Of the namespace of the thread that opens it.
const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";

type Task = Box<dyn FnOnce() + Send>;

/// Clones share the thread. The namespace ends when the last clone, socket and device in it are gone.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    tasks: mpsc::Sender<Task>,
    handle: Arc<OwnedFd>,
}

impl Namespace {
    /// A new one with its loopback up and every port open to everybody.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let (tasks, queue) = mpsc::channel::<Task>();
        let (born, request) = mpsc::sync_channel(1);
        // Room for a system call and its error, not for a program.
        const STACK_BYTES: usize = 256 << 10;
        let thread = thread::Builder::new().name(format!("net {name}")).stack_size(STACK_BYTES);
        thread.spawn(move || {
            // The other side waits for exactly one answer.
            let _ = born.send(furnish());
            queue.into_iter().for_each(|task| task());
        })?;
        let handle = request.recv().map_err(io::Error::other)??;
        Ok(Self { tasks, handle: Arc::new(handle) })
    }

    /// Runs `task` inside and waits: for system calls that do not wait themselves.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (tell, hear) = mpsc::sync_channel(1);
        self.post(move || drop(tell.send(task())))?;
        hear.recv().map_err(io::Error::other)?
    }

    /// The same, for tasks of a runtime.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (tell, hear) = oneshot::channel();
        self.post(move || drop(tell.send(task())))?;
        hear.await.map_err(io::Error::other)?
    }

    /// The TCP congestion control of sockets that are born here.
    pub(crate) fn congestion(&self) -> io::Result<String> {
        self.run(|| Ok(fs::read_to_string(CONGESTION)?.trim().to_owned()))
    }

    /// The kernel refuses those that it does not know, and those that only its first namespace may use.
    pub(crate) fn set_congestion(&self, name: &str) -> io::Result<()> {
        let name = name.to_owned();
        self.run(move || fs::write(CONGESTION, name))
    }

    fn post(&self, task: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.tasks
            .send(Box::new(task))
            .map_err(|_| io::Error::other("the namespace's thread has ended"))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

fn furnish() -> io::Result<OwnedFd> {
    const LOOPBACK: u32 = 1;
    sys::unshare(UnshareFlags::NEWNET)?;
    fabric::netlink::Netlink::open()?.set_link(LOOPBACK, true, true)?;
    fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")?;
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// A TCP socket of the calling thread's namespace, not yet connected. `source` is None where the kernel may choose the address.
pub(crate) fn tcp_socket(source: Option<Ipv4Addr>) -> io::Result<OwnedFd> {
    let socket = inet_socket(SocketType::STREAM)?;
    if let Some(source) = source {
        sys::bind_address_no_port(socket.as_fd())?;
        bind(&socket, &SocketAddr::new(IpAddr::V4(source), 0))?;
    }
    Ok(socket)
}

/// A UDP socket of the calling thread's namespace, bound to this address and port (0: a free one).
pub(crate) fn udp_socket(source: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let socket = inet_socket(SocketType::DGRAM)?;
    bind(&socket, &SocketAddr::new(IpAddr::V4(source), port))?;
    Ok(socket)
}

fn inet_socket(kind: SocketType) -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
