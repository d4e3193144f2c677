//! What the fabric has seen, per directed link: totals since the start, and for each lever what it
//! hit since it came into force. Deliberately absent: verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Lever, Severs};

use crate::packet::Class;
use crate::policy::{Link, PortId};

/// Number of an applied policy; a fabric starts in epoch 0, in which everything passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Packets and bytes of IP. A super-packet that was taken apart counts as its segments, one that passed whole as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub packets: u64,
    pub bytes: u64,
}

/// What one lever of a rule did since it came into force. Canaries are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The epoch with which this lever took its present value on this link.
    pub since: Epoch,
    pub packets: u64,
    pub bytes: u64,
    /// Packets of established TCP connections among them (ACK set, neither SYN nor RST).
    pub established: u64,
    pub canaries: u64,
    /// CLOCK_MONOTONIC, nanoseconds, of the first packet that was no canary.
    pub first_ns: Option<u64>,
    pub first_established_ns: Option<u64>,
}

/// How many levers the fabric has.
const COUNT: usize = 14;

/// What the fabric can do: the levers of links.
pub fn levers() -> impl Iterator<Item = Lever> {
    Lever::ALL.iter().copied().filter(|lever| place(*lever).is_some())
}

/// Where the hits of a lever are counted; None for a lever of something else than a link.
fn place(lever: Lever) -> Option<usize> {
    Some(match lever {
        Lever::Cut => 0,
        Lever::CutPorts => 1,
        Lever::Reject => 2,
        Lever::RejectPorts => 3,
        Lever::Jam => 4,
        Lever::JamPorts => 5,
        Lever::Delay => 6,
        Lever::Jitter => 7,
        Lever::Loss => 8,
        Lever::Duplicate => 9,
        Lever::Corrupt => 10,
        Lever::Reorder => 11,
        Lever::Rate => 12,
        Lever::Mtu => 13,
        Lever::Stop
        | Lever::Freeze
        | Lever::Terminate
        | Lever::Crash
        | Lever::PowerLoss
        | Lever::DiskDelay
        | Lever::DiskError
        | Lever::DiskFull
        | Lever::DiskStall
        | Lever::ClockOffset
        | Lever::ClockRate
        | Lever::Disconnect
        | Lever::Silence => return None,
    })
}

/// One directed link. `arrived + copies = passed + cut + rejected + dark + too_big + lost + overflow + undelivered + waiting`,
/// canaries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    pub arrived: Tally,
    /// Made by duplication.
    pub copies: Tally,
    pub passed: Tally,
    /// Dropped by a cut of form drop or jam, or while it waited in the delay queue of a link that was then cut.
    pub cut: Tally,
    pub rejected: Tally,
    /// Sent while the link's clock said that there is no contact.
    pub dark: Tally,
    /// Larger than the MTU, and answered.
    pub too_big: Tally,
    pub lost: Tally,
    /// Did not fit into the rate's queue, or into the fabric's own bounds.
    pub overflow: Tally,
    /// The port at the far end has no device, or the device refused the packet.
    pub undelivered: Tally,
    /// In the delay queue now.
    pub waiting: Tally,
    /// Held by a delay or a rate, of those that arrived.
    pub delayed: Tally,
    /// Drawn to be corrupted, with one bit flipped, whatever became of it; a copy is not counted again.
    pub corrupted: Tally,
    /// Packets that did not fit into the fabric's own bounds: not asked for by any rule.
    pub bound_overflow: u64,
    /// Super-packets that met a rule which draws per packet, and could not be taken apart: drawn once for all of them.
    pub undivided: u64,
    hits: [Hits; COUNT],
    /// Packets that passed since the link's rule last changed: what shows that it healed.
    pub passed_hits: Hits,
}

impl LinkCounters {
    pub(crate) fn since(epoch: Epoch) -> Self {
        let begun = Hits { since: epoch, ..Hits::default() };
        Self { hits: [begun; COUNT], passed_hits: begun, ..Self::default() }
    }

    /// What a lever did here; nothing where it is no lever of links.
    pub fn hits(&self, lever: Lever) -> Hits {
        place(lever).map_or_else(Hits::default, |place| self.hits[place])
    }

    /// Hits of cuts of whatever form.
    pub fn cut_hits(&self) -> Hits {
        levers()
            .filter(|lever| lever.severs() != Severs::Nothing)
            .map(|lever| self.hits(lever))
            .fold(Hits::default(), Hits::and)
    }

    pub(crate) fn hit(&mut self, lever: Lever, now: u64, class: Class, load: Tally) {
        if let Some(place) = place(lever) {
            self.hits[place].add(now, class, load);
        }
    }

    /// A lever's account begins anew.
    pub(crate) fn begin(&mut self, lever: Lever, epoch: Epoch) {
        if let Some(place) = place(lever) {
            self.hits[place] = Hits { since: epoch, ..Hits::default() };
        }
    }
}

impl Hits {
    pub(crate) fn add(&mut self, now: u64, class: Class, load: Tally) {
        if class.is_canary {
            self.canaries += load.packets;
            return;
        }
        self.packets += load.packets;
        self.bytes += load.bytes;
        self.first_ns.get_or_insert(now);
        if class.is_established {
            self.established += load.packets;
            self.first_established_ns.get_or_insert(now);
        }
    }

    fn and(self, other: Self) -> Self {
        let earlier = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            since: self.since.max(other.since),
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
            established: self.established + other.established,
            canaries: self.canaries + other.canaries,
            first_ns: earlier(self.first_ns, other.first_ns),
            first_established_ns: earlier(self.first_established_ns, other.first_established_ns),
        }
    }
}

impl Tally {
    /// One packet.
    pub(crate) fn one(bytes: usize) -> Self {
        Self { packets: 1, bytes: bytes as u64 }
    }

    pub(crate) fn add(&mut self, load: Self) {
        self.packets += load.packets;
        self.bytes += load.bytes;
    }

    pub(crate) fn remove(&mut self, load: Self) {
        self.packets -= load.packets;
        self.bytes -= load.bytes;
    }
}

/// Of one port, not of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// No port has this destination.
    pub unroutable: Tally,
    /// Multicast, broadcast, link-local, not IP or unreadable: a kernel's own chatter.
    pub ignored: Tally,
    /// Answers (RST, ICMP) handed to this port.
    pub answers: u64,
}

/// A view of every worker, each between two of its batches.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub epoch: Epoch,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub at_ns: u64,
    pub links: BTreeMap<Link, LinkCounters>,
    pub ports: BTreeMap<PortId, PortCounters>,
}

/// A policy is in force: no packet that it forbids leaves the fabric from `at_ns` on.
#[derive(Clone, Debug)]
pub struct Applied {
    pub epoch: Epoch,
    /// CLOCK_MONOTONIC, nanoseconds, taken by the last worker after it took the policy over.
    pub at_ns: u64,
    /// Last counters of the links whose rule changed, before their hits began anew.
    pub closed: Vec<(Link, LinkCounters)>,
}

/// Which shell carries the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Tun,
    AfPacket,
}

/// How late delayed packets left, against the moment they were due. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    pub count: u64,
    pub p50_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
}

/// The fabric's own health.
#[derive(Clone, Copy, Debug)]
pub struct EngineStats {
    pub engine: Engine,
    /// Threads that move packets.
    pub workers: usize,
    /// Whether a worker spins just before a packet is due. It does not where cores are scarce.
    pub spins: bool,
    /// Over all workers.
    pub lateness: Lateness,
    /// CPU time of all workers since the start.
    pub cpu: Duration,
    /// Wall time since the start.
    pub wall: Duration,
    /// Packets the kernel dropped before the fabric could read them (TUN `tx_dropped`, PACKET_STATISTICS).
    pub kernel_drops: u64,
    /// Sum of `bound_overflow` of all links.
    pub overflows: u64,
    /// Sum of `undivided` of all links.
    pub undivided: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lever_of_links_has_a_place_of_its_own() {
        let places: Vec<usize> = levers().filter_map(place).collect();
        assert_eq!(places, (0..COUNT).collect::<Vec<_>>());
    }
}
