//! A way between two machines, whatever carries it: a fabric, or a veth pair without any.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::thread;

use fabric::Engine;
use fabric::netlink::{Netlink, VethEnd};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cores::{self, Role};
use crate::net::{INTERFACE, Machine, Net, PATIENCE};
use crate::sys;

/// Traffic goes from `a` to `b`.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) a: Place,
    pub(crate) b: Place,
}

/// A network namespace with one interface.
#[derive(Debug)]
pub(crate) struct Place {
    netns: File,
    address: Ipv4Addr,
    role: Role,
}

/// Two machines around a new fabric, whose threads keep off the cores of sender and receiver.
pub(crate) fn net(engine: Engine) -> io::Result<Net> {
    let before = cores::threads()?;
    let net = Net::new(engine)?;
    let workers: HashSet<_> = cores::threads()?.difference(&before).copied().collect();
    cores::pin_workers(&workers);
    Ok(net)
}

impl Way {
    pub(crate) fn through(net: &Net) -> io::Result<Self> {
        Ok(Self { a: Place::of(&net.a, Role::Sender)?, b: Place::of(&net.b, Role::Receiver)? })
    }

    /// The named peer: a veth pair as the kernel makes it, with ARP and whole super-packets.
    pub(crate) fn veth() -> io::Result<Self> {
        let a = Place::new(Ipv4Addr::new(198, 18, 1, 1), Role::Sender)?;
        let b = Place::new(Ipv4Addr::new(198, 18, 1, 2), Role::Receiver)?;
        a.enter(|| {
            let near = VethEnd { name: INTERFACE, mac: [2, 0, 0, 0, 1, 1], mtu: 1500, netns: None };
            let far = VethEnd {
                name: INTERFACE,
                mac: [2, 0, 0, 0, 1, 2],
                mtu: 1500,
                netns: Some(b.netns.as_fd()),
            };
            Netlink::open()?.add_veth(near, far)
        })?;
        for place in [&a, &b] {
            place.enter(|| {
                let netlink = Netlink::open()?;
                let index = netlink.link_index(INTERFACE)?;
                netlink.set_link(index, true, true)?;
                netlink.add_address(index, place.address.into(), 24)
            })?;
        }
        Ok(Self { a, b })
    }

    /// A connection from `a` to `b`, both ends. Neither blocks for longer than [`PATIENCE`].
    pub(crate) fn connect(&self) -> io::Result<(TcpStream, TcpStream)> {
        let listener = self.b.enter(|| TcpListener::bind(self.b.any()))?;
        let to = listener.local_addr()?;
        let near = self.a.enter(|| TcpStream::connect_timeout(&to, PATIENCE))?;
        let (far, _) = listener.accept()?;
        for stream in [&near, &far] {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
        }
        Ok((near, far))
    }

    /// A socket on each side, connected to the other.
    pub(crate) fn udp(&self) -> io::Result<(UdpSocket, UdpSocket)> {
        let bound = |place: &Place| place.enter(|| UdpSocket::bind(place.any()));
        let (a, b) = (bound(&self.a)?, bound(&self.b)?);
        a.connect(b.local_addr()?)?;
        b.connect(a.local_addr()?)?;
        for socket in [&a, &b] {
            socket.set_read_timeout(Some(PATIENCE))?;
        }
        Ok((a, b))
    }
}

impl Place {
    fn new(address: Ipv4Addr, role: Role) -> io::Result<Self> {
        let made = thread::spawn(|| {
            sys::new_network()?;
            File::open("/proc/thread-self/ns/net")
        });
        Ok(Self { netns: made.join().expect("the thread does not panic")?, address, role })
    }

    fn of(machine: &Machine, role: Role) -> io::Result<Self> {
        Ok(Self {
            netns: machine.enter(|| File::open("/proc/thread-self/ns/net"))?,
            address: machine.v4(),
            role,
        })
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// An address of this place that lets the kernel choose the port.
    fn any(&self) -> SocketAddr {
        (self.address, 0).into()
    }

    /// Runs `make` on a thread inside. Sockets and processes that are made there stay there, on this place's core.
    pub(crate) fn enter<T: Send>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(self.netns.as_fd(), Some(LinkNameSpaceType::Network))?;
                self.pin();
                make()
            });
            inside.join().expect("what runs inside a place does not panic")
        })
    }

    /// Puts the calling thread on this place's core.
    pub(crate) fn pin(&self) {
        cores::pin(self.role);
    }
}
