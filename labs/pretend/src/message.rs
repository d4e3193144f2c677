//! What travels between nodes and clients.

use std::collections::BTreeMap;

use model::{NodeId, ShardId, Sighting};
use seams::Origin;

use crate::{raft::RaftMessage, written::Written};

/// Nodes talk to each other here.
pub const PEER_PORT: u16 = 7400;
/// The simulated process of a node: the one that holds its copies and answers.
pub(crate) const PROCESS: &str = "pretend";
/// Assets and observers are served here.
pub const CLIENT_PORT: u16 = 7401;
/// Clients send from ports from here on, one per address.
const EPHEMERAL: u32 = 32_768;

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: Origin,
    pub(crate) to: Origin,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Peer {
        group: usize,
        copy: usize,
        message: RaftMessage,
    },
    /// To the leader of a group, for a client of the node it comes from.
    Forward {
        group: usize,
        written: Written,
        route: Route,
    },
    Forwarded {
        route: Route,
        reply: Reply,
    },
    Hello {
        line: u64,
    },
    Welcome {
        line: u64,
    },
    /// The connection is closed or was refused.
    Gone {
        line: u64,
        why: &'static str,
    },
    Ask {
        line: u64,
        call: u64,
        ask: Ask,
    },
    Reply {
        line: u64,
        call: u64,
        reply: Reply,
    },
}

/// Where the answer to a client goes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) entry: NodeId,
    pub(crate) line: u64,
    pub(crate) call: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Append {
        asset: u32,
        written: Written,
    },
    /// Everything committed behind these positions, as this node knows it, or only of shards that it leads.
    Entries {
        after: BTreeMap<ShardId, u64>,
        leading: bool,
    },
    /// The newest of each stream, where it was written behind these positions.
    Values {
        after: BTreeMap<ShardId, u64>,
    },
    /// The committed end of each shard that this node leads.
    Heads,
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Appended {
        by: NodeId,
        position: u64,
    },
    Refused,
    /// Per shard: what was asked for, in order, and the position up to which it is whole.
    Shown(BTreeMap<ShardId, (Vec<Sighting>, u64)>),
    /// Per shard: the term of its leader and its end.
    Heads(BTreeMap<ShardId, (u64, u64)>),
}

impl Body {
    /// Source and destination port.
    pub(crate) fn ports(&self, from: &Origin, to: &Origin) -> (u16, u16) {
        let port = |origin: &Origin| match origin.end {
            model::End::Node(_) => CLIENT_PORT,
            model::End::Cell(_) => {
                u16::try_from(EPHEMERAL + origin.host % (65_536 - EPHEMERAL)).expect("below 65536")
            }
        };
        match self {
            Self::Peer { .. } | Self::Forward { .. } | Self::Forwarded { .. } => {
                (PEER_PORT, PEER_PORT)
            }
            _ => (port(from), port(to)),
        }
    }

    /// Bytes, about.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Peer { message: RaftMessage::Append { entries, .. }, .. } => {
                entries
                    .iter()
                    .map(|entry| 16 + entry.written.map_or(0, Written::len))
                    .sum::<usize>()
                    + 32
            }
            Self::Forward { written, .. } | Self::Ask { ask: Ask::Append { written, .. }, .. } => {
                written.len() + 32
            }
            Self::Reply { reply: Reply::Shown(shown), .. } => {
                shown.values().map(|(all, _)| 64 * all.len()).sum::<usize>() + 32
            }
            _ => 32,
        }
    }

    pub(crate) fn line(&self) -> Option<u64> {
        match self {
            Self::Hello { line }
            | Self::Welcome { line }
            | Self::Gone { line, .. }
            | Self::Ask { line, .. }
            | Self::Reply { line, .. } => Some(*line),
            Self::Peer { .. } | Self::Forward { .. } | Self::Forwarded { .. } => None,
        }
    }
}
