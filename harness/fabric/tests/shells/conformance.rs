//! The promises of [`crate::wire`], kept between two real stacks.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use fabric::{Engine, LinkCounters, Rule};
use libtest_mimic::Failed;

use crate::net::{A_TO_B, Net, wait_for};
use crate::wire::{BODIES, OTHER_PORT, PORT, Wire, since};

/// Packets that B's stack may be left with before the sender waits for the reader. A starved reader otherwise lets a socket's
/// buffer overflow (some 90 small packets of a TUN fit), and a packet that the fabric has passed is lost behind the fabric.
const OUTSTANDING_MAX: u64 = 25;

struct Real {
    net: Net,
    from: UdpSocket,
    to: BTreeMap<u16, UdpSocket>,
    arrived: Vec<Vec<u8>>,
    before: LinkCounters,
    sent: u64,
}

impl Real {
    fn new(engine: Engine) -> io::Result<Self> {
        let net = Net::new(engine)?;
        let from = net.a.enter(|| UdpSocket::bind(net.a.any()))?;
        let bind = |port: u16| {
            let socket = net.b.enter(|| UdpSocket::bind(SocketAddr::from((net.b.v4(), port))))?;
            socket.set_nonblocking(true)?;
            Ok((port, socket))
        };
        let to = [PORT, OTHER_PORT].map(bind).into_iter().collect::<io::Result<_>>()?;
        Ok(Self { net, from, to, arrived: Vec::new(), before: LinkCounters::default(), sent: 0 })
    }

    /// What B's stack has accepted so far; its buffers are small.
    fn drain(&mut self) {
        let mut bytes = [0; 2_048];
        for socket in self.to.values() {
            while let Ok(length) = socket.recv(&mut bytes) {
                self.arrived.push(bytes[..length].to_vec());
            }
        }
    }

    fn link(&self) -> LinkCounters {
        self.net.counters(A_TO_B).expect("the fabric runs")
    }

    /// Everything that was sent has arrived, and nothing is under way.
    fn quiet(&mut self) -> LinkCounters {
        wait_for("the link to be quiet", || {
            self.drain();
            let link = self.link();
            Ok(link.arrived.packets - self.before.arrived.packets == self.sent
                && link.waiting.packets == 0)
        })
        .expect("within our patience");
        self.link()
    }
}

impl Wire for Real {
    fn apply(&mut self, rule: &Rule) {
        self.net.apply(A_TO_B, rule.clone()).expect("a rule that means something");
        self.before = self.quiet();
        self.sent = 0;
    }

    fn send(&mut self, port: u16, payload: &[u8]) {
        // An ICMP error for an earlier datagram is reported at the next call; then this one was not sent.
        let to = SocketAddr::from((self.net.b.v4(), port));
        while let Err(error) = self.from.send_to(payload, to) {
            assert!(
                matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable
                ),
                "{error}"
            );
        }
        self.sent += 1;
        if self.sent.is_multiple_of(OUTSTANDING_MAX) {
            wait_for("the fabric and B to keep up", || {
                self.drain();
                let link = since(self.before, self.link());
                let delivered = link.passed.packets - link.corrupted.packets;
                let unread = delivered.saturating_sub(self.arrived.len() as u64);
                Ok(link.arrived.packets == self.sent
                    && link.waiting.packets + unread <= OUTSTANDING_MAX)
            })
            .expect("within our patience");
        }
    }

    fn settle(&mut self) -> (Vec<Vec<u8>>, LinkCounters) {
        let counted = since(self.before, self.quiet());
        let expected = counted.passed.packets - counted.corrupted.packets;
        wait_for("B to have everything that passed", || {
            self.drain();
            Ok(self.arrived.len() as u64 >= expected)
        })
        .expect("within our patience");
        self.before = self.link();
        self.sent = 0;
        (std::mem::take(&mut self.arrived), counted)
    }
}

pub(crate) fn the_shells_keep_every_promise(engine: Engine) -> Result<(), Failed> {
    let mut real = Real::new(engine)?;
    for (name, body) in BODIES {
        eprintln!("{name}");
        body(&mut real);
    }
    Ok(())
}
