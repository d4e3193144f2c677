//! Floor 1: the packet switch. A pure core that is told the time, and thin TUN and AF_PACKET shells.

mod answer;
mod counters;
mod device;
mod error;
mod fabric;
mod flight;
mod flow;
pub mod netlink;
mod note;
mod packet;
mod pcapng;
mod policy;
mod pool;
mod routes;
mod switch;
mod sys;
mod worker;

pub use crate::fabric::Fabric;
pub use counters::{Applied, Engine, EngineStats, Epoch, Hits, Lateness, LinkCounters, PortCounters, Snapshot, Tally};
pub use device::{Device, PortSpec, af_packet_open, tun_open, veth_offload};
pub use error::{FabricError, PolicyError};
pub use flight::{Flight, Packet, SNAP_BYTES};
pub use note::Note;
pub use pcapng::{Capture, Interface};
pub use policy::{CANARY_PORT, Clocked, Link, MTU_MIN, Policy, PortId, Prefix, Rule};
pub use switch::{Framing, Sink, Switch, VNET_BYTES};
