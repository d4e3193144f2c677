//! What nodes say to each other: frames of `length u32` and postcard, requests numbered, answers in any order.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::types::Types;

/// Larger than any batch; a length beyond it is noise.
const FRAME_MAX: u32 = 64 << 20;

/// The first frame each way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) node: u64,
    /// Where this node serves clients.
    pub(crate) serves: SocketAddr,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Numbered<T> {
    pub(crate) number: u64,
    pub(crate) body: T,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Ping,
    Append {
        shard: u16,
        rpc: AppendEntriesRequest<Types>,
    },
    Vote {
        shard: u16,
        rpc: VoteRequest<u64>,
    },
    /// Append a reading, asked of the leader.
    Propose {
        shard: u16,
        payload: Bytes,
    },
    /// How far a copy must be for a linearizable read, asked of the leader.
    ReadIndex {
        shard: u16,
    },
    /// The shard's home node is ready to lead.
    StepAside {
        shard: u16,
        to: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Pong,
    Append(AppendEntriesResponse<u64>),
    Vote(VoteResponse<u64>),
    Proposed(Result<u64, Refusal>),
    ReadIndex(Result<Option<u64>, Refusal>),
    SteppedAside(bool),
    /// The raft group is shut down.
    Gone,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// Definitely not done: this node does not lead.
    NotLeader,
    /// Definitely not done: nobody leads, or the leader cannot be reached.
    NoLeader,
    /// Definitely not done: the node keeps as many bytes as it may.
    Full,
    /// It may have been done, or may still be.
    Unknown,
}

pub(crate) fn frame(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = postcard::to_extend(message, vec![0; 4]).expect("messages are plain data");
    let length = u32::try_from(bytes.len() - 4).expect("batches are bounded far below 4 GiB");
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

pub(crate) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    let length = from.read_u32_le().await?;
    if length > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body).await?;
    postcard::from_bytes(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
