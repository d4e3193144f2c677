//! What the fabric is asked to do: one immutable [`Policy`] for all directed links.
//! Deliberately absent: who stands behind a port (the lab numbers them), and faults (the lab publishes a new policy when one
//! opens or closes). What changes by the clock is part of the policy, so that it happens to the microsecond and resets no counter.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{Chance, Cut, CutForm, LinkQuality, Ports, Track};

/// A policy that means nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    #[error("read a loss chance of {chance} on {link:?}: it must lie in 0-1")]
    Chance { link: Link, chance: f64 },
    #[error("read a rate of 0 bit/s on {link:?}: use a cut instead")]
    Rate { link: Link },
    #[error("read an MTU of {bytes} bytes on {link:?}: IPv4 needs 68 at least")]
    Mtu { link: Link, bytes: u32 },
}

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
    /// Refuses numbers that mean nothing: a chance above 1, a rate of 0, an MTU below IPv4's own minimum.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (&link, rule) in &self.links {
            let slots = rule
                .clocked
                .iter()
                .flat_map(|clocked| &clocked.track.slots)
                .map(|slot| &slot.quality);
            for quality in std::iter::once(&rule.quality).chain(slots) {
                check(link, quality)?;
            }
        }
        Ok(())
    }
}

fn check(link: Link, quality: &LinkQuality) -> Result<(), PolicyError> {
    let LinkQuality {
        delay: _,
        jitter,
        loss,
        bursts,
        duplicate,
        corrupt,
        reorder,
        rate,
        queue: _,
        mtu,
    } = quality;
    let of_jitter = jitter.iter().map(|jitter| jitter.correlation);
    let of_bursts =
        bursts.iter().flat_map(|bursts| [bursts.enter, bursts.leave, bursts.bad, bursts.good]);
    let lists = [loss, duplicate, corrupt, reorder].into_iter().flatten().copied();
    if let Some(chance) =
        lists.chain(of_jitter).chain(of_bursts).find(|chance| *chance > Chance::ALWAYS)
    {
        return Err(PolicyError::Chance { link, chance: chance.as_f64() });
    }
    if rate.is_some_and(|rate| rate.0 == 0) {
        return Err(PolicyError::Rate { link });
    }
    match mtu {
        Some(bytes) if *bytes < MTU_MIN => Err(PolicyError::Mtu { link, bytes: *bytes }),
        _ => Ok(()),
    }
}

/// Bytes that every IPv4 link must carry (RFC 791).
pub const MTU_MIN: u32 = 68;

/// What happens on one directed link, in this order: contact (the clock may say that there is none), cuts, MTU, loss, corruption,
/// duplication, rate, delay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    pub cuts: BTreeSet<Cut>,
    pub quality: LinkQuality,
    /// Changes by the clock, on top.
    pub clocked: Option<Clocked>,
}

/// A track and the moment at which it begins; before that its first slot holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Clocked {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub origin_ns: u64,
    pub track: Arc<Track>,
}

impl From<LinkQuality> for Rule {
    fn from(quality: LinkQuality) -> Self {
        Self { quality, ..Self::default() }
    }
}

impl Rule {
    /// Nothing passes, or nothing of some ports.
    pub fn cut(ports: Ports, form: CutForm) -> Self {
        Self { cuts: [Cut { ports, form }].into(), ..Self::default() }
    }
}
