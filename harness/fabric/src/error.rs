//! What can go wrong with a fabric.

use std::io;

use crate::policy::{Link, PortId};

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

/// Each message finishes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    #[error("start the fabric's thread")]
    Thread(#[source] io::Error),
    #[error("read the policy")]
    Policy(#[from] PolicyError),
    #[error(
        "add port {id:?}: its packets are framed otherwise than those of the other ports (TUN or AF_PACKET, one kind per fabric)"
    )]
    Mixed { id: PortId },
    #[error("watch the device of port {id:?}")]
    Watch {
        id: PortId,
        #[source]
        source: io::Error,
    },
    #[error("reach the fabric's thread, it has ended")]
    Stopped,
}
