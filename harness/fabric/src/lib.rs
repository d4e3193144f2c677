//! Floor 1: the packet switch. A pure core that is told the time, and thin TUN and AF_PACKET shells.
//!
//! * `fabric`: the handle on a running fabric
//! * `worker`: a thread that moves packets
//! * `switch`: the core: frames in, frames out, told the time
//! * `policy`: what the fabric is asked to do
//! * `links`: every link, found by its two ports
//! * `link_state`: one link at work: rule, clock, serialiser, queue, counters
//! * `impairments`: a link's quality made ready, and its draws
//! * `packet`: what the switch reads of a packet
//! * `segment`: super-packets, cut and joined
//! * `checksum`: the Internet checksum
//! * `vnet`: the header before every frame
//! * `replies`: RST and ICMP for what is rejected
//! * `routes`: behind which port an address lives
//! * `slab`: room for packets that wait
//! * `wheel`: a timing wheel for links that reorder
//! * `margin`: how long before its time a worker wakes
//! * `counters`: what was seen, per link and lever
//! * `disposition`: what became of a packet, in a word
//! * `flight_recorder`: the newest headers of every link
//! * `pcapng`: recorded packets as a file
//! * `device`: TUN devices and packet sockets
//! * `netlink`: veth pairs, addresses, routes
//! * `sys`: system calls that no safe crate wraps
//! * `error`: what can go wrong

mod checksum;
mod counters;
mod device;
mod disposition;
mod error;
mod fabric;
mod flight_recorder;
#[cfg(test)]
mod hostile;
mod impairments;
mod link_state;
mod links;
mod margin;
pub mod netlink;
mod packet;
mod pcapng;
mod policy;
mod replies;
mod routes;
#[cfg(test)]
mod samples;
mod segment;
mod slab;
mod switch;
mod sys;
mod vnet;
mod wheel;
mod worker;

pub use crate::fabric::{Fabric, Options};
pub use counters::{
    Applied, Engine, EngineStats, Epoch, Hits, Lateness, LinkCounters, PortCounters, Snapshot,
    Tally, levers,
};
pub use device::{Device, PortSpec, af_packet_open, tun_open, veth_offload};
pub use disposition::Disposition;
pub use error::FabricError;
pub use flight_recorder::Packet;
pub use pcapng::{Capture, Interface};
pub use policy::{CANARY_PORT, Clocked, Link, MTU_MIN, Policy, PolicyError, PortId, Prefix, Rule};
pub use switch::{Framing, Share, Sink, Switch, VNET_BYTES};
