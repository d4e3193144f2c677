//! Floor 1: the packet switch. A pure core that is told the time, and thin TUN and AF_PACKET shells.

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
pub use error::{FabricError, PolicyError};
pub use flight_recorder::Packet;
pub use pcapng::{Capture, Interface};
pub use policy::{CANARY_PORT, Clocked, Link, MTU_MIN, Policy, PortId, Prefix, Rule};
pub use switch::{Framing, Share, Sink, Switch, VNET_BYTES};
