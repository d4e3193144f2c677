//! Two machines, each a network namespace, joined by a fabric.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use fabric::netlink::{Netlink, RouteKind, VethEnd};
use fabric::{
    Device, Engine, Fabric, Link, LinkCounters, Options, Policy, PortId, PortSpec, Prefix, Rule,
    af_packet_open, tun_open,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sys;

pub(crate) const A: PortId = PortId(0);
pub(crate) const B: PortId = PortId(1);
pub(crate) const A_TO_B: Link = Link { from: A, to: B };
pub(crate) const B_TO_A: Link = Link { from: B, to: A };
/// Patience for things that must happen; never reached when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const INTERFACE: &str = "wet0";
const MACHINE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Another one, so that the harness's own stack takes no notice of what is not addressed to it.
const HARNESS_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub(crate) struct Net {
    pub(crate) fabric: Fabric,
    pub(crate) a: Machine,
    pub(crate) b: Machine,
}

pub(crate) struct Machine {
    netns: File,
    port: PortId,
}

impl Net {
    pub(crate) fn new(engine: Engine) -> io::Result<Self> {
        let fabric = Fabric::start(engine, 7, Options::default()).map_err(io::Error::other)?;
        let a = Machine::new(&fabric, A)?;
        let b = Machine::new(&fabric, B)?;
        Ok(Self { fabric, a, b })
    }

    /// The same rule in both directions.
    pub(crate) fn apply_both(&self, rule: &Rule) -> io::Result<fabric::Applied> {
        let links = [A_TO_B, B_TO_A].map(|link| (link, rule.clone()));
        self.fabric.apply(Policy { links: links.into() }).map_err(io::Error::other)
    }

    pub(crate) fn apply(&self, link: Link, rule: Rule) -> io::Result<fabric::Applied> {
        self.fabric.apply(Policy { links: [(link, rule)].into() }).map_err(io::Error::other)
    }

    pub(crate) fn counters(&self, link: Link) -> io::Result<LinkCounters> {
        let snapshot = self.fabric.counters().map_err(io::Error::other)?;
        Ok(snapshot.links.get(&link).copied().unwrap_or_default())
    }

    /// Sets the largest packet of both machines, in bytes.
    pub(crate) fn set_mtu(&self, mtu: u32) -> io::Result<()> {
        for machine in [&self.a, &self.b] {
            let set = |interface: &str| {
                let netlink = Netlink::open()?;
                netlink.set_mtu(netlink.link_index(interface)?, mtu)
            };
            machine.enter(|| set(INTERFACE))?;
            if self.fabric.engine() == Engine::AfPacket {
                set(&machine.harness_end())?;
            }
        }
        Ok(())
    }

    /// Switches the offload of both machines. No lab does so; a test and the bench do, to compare with single packets.
    pub(crate) fn set_offload(&self, on: bool) -> io::Result<()> {
        for machine in [&self.a, &self.b] {
            match self.fabric.engine() {
                Engine::Tun => self.fabric.set_offload(machine.port, on)?,
                Engine::AfPacket => machine.enter(|| fabric::veth_offload(INTERFACE, on))?,
            }
        }
        Ok(())
    }
}

impl Machine {
    /// A new network namespace with one interface, which is a port of the fabric.
    pub(crate) fn new(fabric: &Fabric, port: PortId) -> io::Result<Self> {
        Self::with_prefix(fabric, port, None)
    }

    /// The same with a prefix of addresses that are all its own (AnyIP).
    pub(crate) fn with_prefix(
        fabric: &Fabric,
        port: PortId,
        own: Option<(IpAddr, u8)>,
    ) -> io::Result<Self> {
        let made = thread::spawn(|| {
            sys::new_network()?;
            File::open("/proc/thread-self/ns/net")
        });
        let netns = made.join().expect("the thread does not panic")?;
        let machine = Self { netns, port };
        let device = machine.attach(fabric.engine())?;
        machine.enter(|| {
            let netlink = Netlink::open()?;
            let index = netlink.link_index(INTERFACE)?;
            netlink.add_address(index, machine.v4().into(), 16)?;
            netlink.set_link(index, true, false)?;
            netlink.add_address(index, machine.v6().into(), 64)?;
            let loopback = netlink.link_index("lo")?;
            netlink.set_link(loopback, true, true)?;
            own.map_or(Ok(()), |(prefix, len)| {
                netlink.add_route(loopback, prefix, len, RouteKind::Local, None)
            })
        })?;
        let mut prefixes =
            vec![Prefix::host(machine.v4().into()), Prefix::host(machine.v6().into())];
        prefixes.extend(own.map(|(addr, len)| Prefix::new(addr, len)));
        fabric.add_port(PortSpec { id: port, prefixes, device }).map_err(io::Error::other)?;
        Ok(machine)
    }

    fn attach(&self, engine: Engine) -> io::Result<Device> {
        if engine == Engine::Tun {
            return self.enter(|| tun_open(INTERFACE));
        }
        let netlink = Netlink::open()?;
        let name = self.harness_end();
        // An earlier machine's pair goes with its namespace, on a work queue: it may still be there, or
        // vanish between these two lines.
        if let Ok(old) = netlink.link_index(&name) {
            let _ = netlink.delete_link(old);
        }
        netlink.add_veth(
            VethEnd { name: &name, mac: HARNESS_MAC, mtu: 1500, netns: None },
            VethEnd {
                name: INTERFACE,
                mac: MACHINE_MAC,
                mtu: 1500,
                netns: Some(self.netns.as_fd()),
            },
        )?;
        netlink.set_link(netlink.link_index(&name)?, true, false)?;
        af_packet_open(&name)
    }

    /// Name of the veth end in the harness's namespace.
    fn harness_end(&self) -> String {
        format!("to{}", self.port.0)
    }

    pub(crate) fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, 0, self.port.0 as u8 + 1)
    }

    pub(crate) fn v6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.port.0 as u16 + 1)
    }

    /// An address of this machine that lets the kernel choose the port.
    pub(crate) fn any(&self) -> SocketAddr {
        (IpAddr::from(self.v4()), 0).into()
    }

    /// Runs `make` on a thread inside this machine. Sockets made there stay there.
    pub(crate) fn enter<T: Send>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send,
    ) -> io::Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(self.netns.as_fd(), Some(LinkNameSpaceType::Network))?;
                make()
            });
            inside.join().expect("what runs inside a machine does not panic")
        })
    }
}

/// Asks again and again until it is so. Bounded by [`PATIENCE`], which no healthy run comes near.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("waited in vain for {what}"),
            ));
        }
        thread::yield_now();
    }
    Ok(())
}
