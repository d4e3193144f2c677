//! What can go wrong with a fabric.

use std::io;

use crate::policy::{PolicyError, PortId};

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
