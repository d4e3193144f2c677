//! What the fabric has seen, per directed link: totals since the start, and for each lever what it
//! hit since it came into force. Deliberately absent: verdicts.

use std::collections::BTreeMap;

use crate::policy::{Link, PortId};

/// Number of an applied policy; a fabric starts in epoch 0, in which everything passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Packets and bytes of IP.
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

/// One directed link. `arrived = passed + cut + rejected + lost + overflow + undelivered + waiting`,
/// canaries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    pub arrived: Tally,
    pub passed: Tally,
    /// Dropped by a cut of form drop, or while it waited in the delay queue of a link that was then cut.
    pub cut: Tally,
    pub rejected: Tally,
    pub lost: Tally,
    /// Did not fit into the rate's queue, or into the fabric's own bound per link.
    pub overflow: Tally,
    /// The port at the far end has no device, or the device refused the packet.
    pub undelivered: Tally,
    /// In the delay queue now.
    pub waiting: Tally,
    /// Held by a delay or a rate, of those that arrived.
    pub delayed: Tally,
    /// Overflows of the fabric's own bound per link: not asked for by any rule.
    pub bound_overflow: u64,
    /// Packets with GSO metadata that met loss or rate: offload should have been off here.
    pub super_packets_on_lossy_link: u64,
    /// Hits of cuts, either form.
    pub cut_hits: Hits,
    pub loss_hits: Hits,
    /// Packets that were held by `delay` or `jitter`.
    pub delay_hits: Hits,
    /// Packets that waited for the serialiser, or did not fit.
    pub rate_hits: Hits,
    /// Packets that passed since the link's rule last changed: what shows that it healed.
    pub passed_hits: Hits,
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

/// A consistent view of one worker between two batches.
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
    /// CLOCK_MONOTONIC, nanoseconds, taken by the worker after it took the policy over.
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
    pub lateness: Lateness,
    /// CPU time of the worker thread since its start.
    pub cpu: std::time::Duration,
    /// Wall time of the worker thread since its start.
    pub wall: std::time::Duration,
    /// Packets the kernel dropped before the fabric could read them (TUN `tx_dropped`, PACKET_STATISTICS).
    pub kernel_drops: u64,
    /// Sum of `bound_overflow` of all links.
    pub overflows: u64,
    /// Sum over all links.
    pub super_packets_on_lossy_link: u64,
}
