//! What the fabric is asked to do: one immutable [`Policy`] for all directed links.
//! Deliberately absent: time (the lab publishes a new policy when something changes) and the
//! words of scenarios (the lab translates).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::error::PolicyError;

/// UDP port of the harness's own canaries. They obey every rule, are counted apart and prove nothing.
pub const CANARY_PORT: u16 = 47_474;

/// One place where packets enter and leave: a node, or the access namespace of a cell.
/// The number is the lab's. A port that comes back under its number keeps its rules and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u32);

/// One direction between two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    pub from: PortId,
    pub to: PortId,
}

impl Link {
    pub fn new(from: PortId, to: PortId) -> Self {
        Self { from, to }
    }
}

/// A destination prefix, for example `198.18.0.7/32`. Host bits beyond `len` are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    pub addr: IpAddr,
    pub len: u8,
}

impl Prefix {
    /// `len` in bits: 0-32 for IPv4, 0-128 for IPv6 (larger values mean the whole address).
    pub fn new(addr: IpAddr, len: u8) -> Self {
        Self { addr, len }
    }

    /// The prefix that holds just this address.
    pub fn host(addr: IpAddr) -> Self {
        let len = if addr.is_ipv4() { 32 } else { 128 };
        Self { addr, len }
    }
}

/// The whole wanted state. A link that is not named forwards at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    pub links: BTreeMap<Link, Rule>,
}

impl Policy {
    /// Refuses numbers that mean nothing: a chance outside 0-1, a rate of 0.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (&link, rule) in &self.links {
            if let Some(&chance) = rule.loss.iter().find(|chance| !(0.0..=1.0).contains(*chance)) {
                return Err(PolicyError::Chance { link, chance });
            }
            if rule.rate.is_some_and(|rate| rate.bps == 0) {
                return Err(PolicyError::Rate { link });
            }
        }
        Ok(())
    }
}

/// What happens on one directed link, in this order: cuts, loss, rate, delay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    pub cuts: Vec<Cut>,
    /// Chances of loss, 0-1, each an independent trial per packet.
    pub loss: Vec<f64>,
    pub rate: Option<Rate>,
    /// Time in flight. Packets of one link never overtake each other.
    pub delay: Duration,
    /// Uniform in `-jitter..=+jitter` around `delay`, never below zero.
    pub jitter: Duration,
}

impl Rule {
    /// The chance that a packet survives every trial: the product of `1 - p`.
    pub fn survival(&self) -> f64 {
        self.loss.iter().map(|p| 1.0 - p).product()
    }

    /// True where packets have to be seen one by one to be honest, so offload must be off.
    pub fn is_per_packet(&self) -> bool {
        self.rate.is_some() || self.loss.iter().any(|p| *p > 0.0)
    }
}

/// A serialiser with a byte queue in front. Bytes are those of the IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits per second, above 0.
    pub bps: u64,
    /// Bytes that may wait; a packet that does not fit is dropped.
    pub queue_bytes: u64,
}

/// Nothing passes, or nothing of some ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// TCP, UDP or SCTP ports, matched against source *and* destination; `None` cuts everything.
    pub ports: Option<BTreeSet<u16>>,
    pub form: Form,
}

/// What the sender learns of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Silence.
    Drop,
    /// TCP is answered with RST, the rest with ICMP port unreachable.
    Reject,
}
