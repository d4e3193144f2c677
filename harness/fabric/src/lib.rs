//! Floor 1: the packet switch. A pure core that is told the time, and thin TUN and AF_PACKET shells.

mod counters;
mod device;
mod error;
pub mod netlink;
mod policy;
mod sys;

pub use counters::{Applied, Engine, EngineStats, Epoch, Hits, Lateness, LinkCounters, PortCounters, Snapshot, Tally};
pub use device::{Device, PortSpec, af_packet_open, tun_open, veth_offload};
pub use error::{FabricError, PolicyError};
pub use policy::{CANARY_PORT, Cut, Form, Link, Policy, PortId, Prefix, Rate, Rule};
