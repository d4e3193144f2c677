//! Just enough rtnetlink to build a lab: veth pairs, addresses, routes, link state and counters.
//! A [`Netlink`] acts in the network namespace in which it was opened. Every request waits for the
//! kernel's answer. Deliberately absent: dumps, events, and whatever else a lab does not need.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

mod message;
use message::Message;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;

const RTA_DST: u16 = 1;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// Far more than a work queue ever takes.
const RECEIVING_WITHIN: Duration = Duration::from_secs(5);

/// One end of a new veth pair.
#[derive(Clone, Copy, Debug)]
pub struct VethEnd<'a> {
    /// 1-15 bytes.
    pub name: &'a str,
    pub mac: [u8; 6],
    /// Bytes of an IP packet.
    pub mtu: u32,
    /// The namespace this end is born in; `None` is the one of the [`Netlink`].
    pub netns: Option<BorrowedFd<'a>>,
}

/// Where packets for a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// On the link, without a gateway.
    Unicast,
    /// Every address of the prefix is the machine's own (AnyIP).
    Local,
}

/// Counters of a link since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
}

/// A NETLINK_ROUTE socket. It keeps its namespace alive while it is open.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0, the default.
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    /// Makes a veth pair; each end may be born in another namespace. Both are down,
    /// and send super-packets of at most 16 KiB.
    pub fn add_veth(&self, near: VethEnd<'_>, far: VethEnd<'_>) -> io::Result<()> {
        let mut message =
            Message::new(libc::RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        message.link_header(0, 0, 0);
        veth_end(&mut message, near);
        message.nest(IFLA_LINKINFO, |info| {
            info.attribute(IFLA_INFO_KIND, b"veth");
            info.nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.link_header(0, 0, 0);
                    veth_end(peer, far);
                });
            });
        });
        self.request(message).map(drop)
    }

    /// Sets a link up or down. `arp: false` makes it NOARP: neighbours are taken to share its MAC.
    pub fn set_link(&self, index: u32, up: bool, arp: bool) -> io::Result<()> {
        let up_flag = if up { libc::IFF_UP as u32 } else { 0 };
        let arp_flag = if arp { 0 } else { libc::IFF_NOARP as u32 };
        let mut message = Message::new(libc::RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
        message.link_header(index, up_flag | arp_flag, (libc::IFF_UP | libc::IFF_NOARP) as u32);
        self.request(message).map(drop)
    }

    /// Sets the largest IP packet of a link, in bytes.
    pub fn set_mtu(&self, index: u32, mtu: u32) -> io::Result<()> {
        self.set_number(index, IFLA_MTU, mtu)
    }

    /// Sets how many packets wait in front of a link; on a TUN those that wait to be read.
    pub fn set_queue(&self, index: u32, packets: u32) -> io::Result<()> {
        self.set_number(index, IFLA_TXQLEN, packets)
    }

    fn set_number(&self, index: u32, attribute: u16, value: u32) -> io::Result<()> {
        let mut message = Message::new(libc::RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
        message.link_header(index, 0, 0);
        message.attribute(attribute, &value.to_ne_bytes());
        self.request(message).map(drop)
    }

    /// Removes a link; a veth takes its peer along.
    pub fn delete_link(&self, index: u32) -> io::Result<()> {
        let mut message = Message::new(libc::RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
        message.link_header(index, 0, 0);
        self.request(message).map(drop)
    }

    /// Gives a link, which must be up, an address. IPv6 skips duplicate detection, and the call returns
    /// when the kernel has begun to receive for the address, which it does on a work queue.
    pub fn add_address(&self, index: u32, address: IpAddr, prefix_len: u8) -> io::Result<()> {
        const IFA_ADDRESS: u16 = 1;
        const IFA_LOCAL: u16 = 2;
        const IFA_F_NODAD: u8 = 2;
        let mut message =
            Message::new(libc::RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        let flags = if address.is_ipv6() { IFA_F_NODAD } else { 0 };
        message.bytes(&[family(address), prefix_len, flags, 0]);
        message.bytes(&index.to_ne_bytes());
        message.address(IFA_LOCAL, address);
        message.address(IFA_ADDRESS, address);
        self.request(message)?;
        let deadline = Instant::now() + RECEIVING_WITHIN;
        while !self.is_local(address)? {
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("{address} does not receive: is its link up?"),
                ));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// True when packets to this address are received here.
    fn is_local(&self, address: IpAddr) -> io::Result<bool> {
        let mut message = Message::new(libc::RTM_GETROUTE, NLM_F_REQUEST);
        message.bytes(&[family(address), host_len(address), 0, 0, 0, 0, 0, 0]);
        message.bytes(&0u32.to_ne_bytes());
        message.address(RTA_DST, address);
        match self.request(message) {
            Ok(answer) => Ok(answer.get(23) == Some(&libc::RTN_LOCAL)),
            Err(error) if error.kind() == io::ErrorKind::NetworkUnreachable => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Routes a prefix out of a link. With `RouteKind::Local` on the loopback link the whole prefix
    /// becomes own addresses. `source` is the preferred source address.
    pub fn add_route(
        &self,
        index: u32,
        to: IpAddr,
        prefix_len: u8,
        kind: RouteKind,
        source: Option<IpAddr>,
    ) -> io::Result<()> {
        const RTA_OIF: u16 = 4;
        const RTA_PREFSRC: u16 = 7;
        let (table, scope, kind) = match (kind, to.is_ipv4()) {
            (RouteKind::Unicast, true) => {
                (libc::RT_TABLE_MAIN, libc::RT_SCOPE_LINK, libc::RTN_UNICAST)
            }
            (RouteKind::Unicast, false) => {
                (libc::RT_TABLE_MAIN, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST)
            }
            (RouteKind::Local, true) => {
                (libc::RT_TABLE_LOCAL, libc::RT_SCOPE_HOST, libc::RTN_LOCAL)
            }
            (RouteKind::Local, false) => {
                (libc::RT_TABLE_LOCAL, libc::RT_SCOPE_UNIVERSE, libc::RTN_LOCAL)
            }
        };
        let mut message =
            Message::new(libc::RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
        message.bytes(&[family(to), prefix_len, 0, 0, table, libc::RTPROT_STATIC, scope, kind]);
        message.bytes(&0u32.to_ne_bytes());
        message.address(RTA_DST, to);
        message.attribute(RTA_OIF, &index.to_ne_bytes());
        if let Some(source) = source {
            message.address(RTA_PREFSRC, source);
        }
        self.request(message).map(drop)
    }

    /// Index of a link by its name.
    pub fn link_index(&self, name: &str) -> io::Result<u32> {
        let mut message = Message::new(libc::RTM_GETLINK, NLM_F_REQUEST);
        message.link_header(0, 0, 0);
        message.name(IFLA_IFNAME, name);
        let answer = self.request(message)?;
        answer
            .get(20..24)
            .map(|field| u32::from_ne_bytes(field.try_into().expect("four bytes")))
            .ok_or_else(short)
    }

    /// Counters of a link.
    pub fn link_stats(&self, index: u32) -> io::Result<LinkStats> {
        let mut message = Message::new(libc::RTM_GETLINK, NLM_F_REQUEST);
        message.link_header(index, 0, 0);
        let answer = self.request(message)?;
        let stats =
            message::find(answer.get(32..).ok_or_else(short)?, IFLA_STATS64).ok_or_else(short)?;
        let field = |position: usize| -> io::Result<u64> {
            let bytes = stats.get(position * 8..position * 8 + 8).ok_or_else(short)?;
            Ok(u64::from_ne_bytes(bytes.try_into().expect("eight bytes")))
        };
        Ok(LinkStats {
            rx_packets: field(0)?,
            tx_packets: field(1)?,
            rx_dropped: field(6)?,
            tx_dropped: field(7)?,
        })
    }

    /// Sends one request and returns its answer: the message asked for, or the empty acknowledgement.
    fn request(&self, message: Message) -> io::Result<Vec<u8>> {
        send(&self.socket, &message.finish(), SendFlags::empty())?;
        let mut buffer = vec![0; 32 << 10];
        let (length, _) = recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
        buffer.truncate(length);
        let kind = buffer
            .get(4..6)
            .map(|field| u16::from_ne_bytes(field.try_into().expect("two bytes")))
            .ok_or_else(short)?;
        if kind != NLMSG_ERROR {
            return Ok(buffer);
        }
        let code = buffer
            .get(16..20)
            .map(|field| i32::from_ne_bytes(field.try_into().expect("four bytes")))
            .ok_or_else(short)?;
        if code == 0 { Ok(Vec::new()) } else { Err(io::Error::from_raw_os_error(-code)) }
    }
}

fn veth_end(message: &mut Message, end: VethEnd<'_>) {
    message.name(IFLA_IFNAME, end.name);
    message.attribute(IFLA_ADDRESS, &end.mac);
    message.attribute(IFLA_MTU, &end.mtu.to_ne_bytes());
    if let Some(netns) = end.netns {
        message.attribute(IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes());
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

fn host_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "netlink answered with a short message")
}
