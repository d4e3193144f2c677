//! A switch with four machines and somebody who writes down what comes out.

use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::time::Duration;

use etherparse::PacketBuilder;
use fabric::{Framing, Link, LinkCounters, Policy, PortId, Prefix, Rule, Sink, Switch, VNET_BYTES};
use model::{BitRate, Chance, Jitter, LinkQuality, Shape};

pub(crate) const MACHINES: u32 = 4;
/// The last machine has no device.
pub(crate) const DARK: PortId = PortId(MACHINES - 1);
pub(crate) const A: PortId = PortId(0);
pub(crate) const B: PortId = PortId(1);
pub(crate) const A_TO_B: Link = Link { from: A, to: B };
pub(crate) const MS: u64 = 1_000_000;

/// A frame that came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) at: u64,
    pub(crate) to: PortId,
    pub(crate) frame: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Out {
    pub(crate) now: u64,
    pub(crate) sent: Vec<Sent>,
}

impl Sink for Out {
    fn send(&mut self, to: PortId, frame: &[IoSlice<'_>]) -> bool {
        if to == DARK {
            return false;
        }
        self.sent.push(Sent {
            at: self.now,
            to,
            frame: frame.iter().flat_map(|part| part.to_vec()).collect(),
        });
        true
    }
}

pub(crate) struct Bench {
    pub(crate) switch: Switch,
    pub(crate) out: Out,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let mut switch = Switch::new(Framing::Ip, seed);
        for number in 0..MACHINES {
            switch.set_port(PortId(number), &[Prefix::host(address(number).into())]);
        }
        Self { switch, out: Out::default() }
    }

    pub(crate) fn with_rule(seed: u64, rule: Rule) -> Self {
        let mut bench = Self::new(seed);
        bench.apply(&policy(rule));
        bench
    }

    /// Turns the clock, and lets everything leave at the moment it is due, which is never in the past.
    pub(crate) fn advance_to(&mut self, now: u64) {
        while let Some(due) = self.switch.next_due().filter(|due| *due <= now) {
            // The wheel may ask to be looked at earlier than anything is due.
            let due = due.max(self.out.now);
            self.out.now = due;
            // Nothing: the wheel has only come nearer to what waits in it.
            assert!(
                matches!(self.switch.release(due, &mut self.out), Some(0) | None),
                "nothing is late on this clock"
            );
        }
        self.out.now = now;
    }

    pub(crate) fn advance(&mut self, ns: u64) {
        self.advance_to(self.out.now + ns);
    }

    pub(crate) fn receive(&mut self, from: PortId, frame: &[u8]) {
        self.switch.receive(self.out.now, from, frame, &mut self.out);
    }

    pub(crate) fn apply(&mut self, policy: &Policy) -> fabric::Applied {
        self.switch.apply(self.out.now, policy)
    }

    pub(crate) fn link(&self, link: Link) -> LinkCounters {
        self.switch.snapshot(self.out.now).links.get(&link).copied().unwrap_or_default()
    }
}

/// The rule on the link from A to B alone.
pub(crate) fn policy(rule: Rule) -> Policy {
    Policy { links: [(A_TO_B, rule)].into() }
}

pub(crate) fn delay(duration: Duration) -> Rule {
    LinkQuality { delay: duration, ..LinkQuality::default() }.into()
}

/// Chances from 0 to 1, to a millionth.
pub(crate) fn chances(of: &[f64]) -> Vec<Chance> {
    of.iter().map(|chance| Chance((chance * 1e6).round() as u32)).collect()
}

pub(crate) fn loss(of: &[f64]) -> LinkQuality {
    LinkQuality { loss: chances(of), ..LinkQuality::default() }
}

pub(crate) fn rate(bps: u64, queue_bytes: u64) -> LinkQuality {
    LinkQuality { rate: Some(BitRate(bps)), queue: Some(queue_bytes), ..LinkQuality::default() }
}

/// Uniform jitter of this half-width.
pub(crate) fn uniform(width: Duration) -> Vec<Jitter> {
    vec![Jitter { width, shape: Shape::Uniform, correlation: Chance(0) }]
}

pub(crate) fn address(machine: u32) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, 0, machine as u8 + 1)
}

/// A UDP packet whose payload begins with `tag`.
pub(crate) fn udp(from: PortId, to: PortId, port: u16, tag: u64, payload_bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; payload_bytes.max(8)];
    payload[..8].copy_from_slice(&tag.to_be_bytes());
    udp_with(from, to, port, &payload)
}

pub(crate) fn udp_with(from: PortId, to: PortId, port: u16, payload: &[u8]) -> Vec<u8> {
    let packet =
        PacketBuilder::ipv4(address(from.0).octets(), address(to.0).octets(), 64).udp(40_000, port);
    let mut frame = vec![0; VNET_BYTES];
    packet.write(&mut frame, payload).expect("a vector takes everything");
    frame
}

/// The tag of a frame made by [`udp`].
pub(crate) fn tag(frame: &[u8]) -> u64 {
    let at = VNET_BYTES + 28;
    u64::from_be_bytes(frame[at..at + 8].try_into().expect("eight bytes"))
}
