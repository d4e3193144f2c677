//! What the raft groups carry.

use std::io::Cursor;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A payload as it was posted, envelope first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) payload: Bytes,
    /// 1, or 2 where a duplicate was planted.
    pub(crate) copies: u8,
}

/// Readings that are committed together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch(pub(crate) Vec<Stored>);

/// Position of the first reading of an applied batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied(pub(crate) u64);

openraft::declare_raft_types!(
    pub(crate) Types:
        D = Batch,
        R = Applied,
        NodeId = u64,
        Node = openraft::EmptyNode,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<u64>;
pub(crate) type Vote = openraft::Vote<u64>;
pub(crate) type Raft = openraft::Raft<Types>;
pub(crate) type StorageError = openraft::StorageError<u64>;

/// The shard that an asset's readings go to: Fibonacci hashing, so that neighbouring ids spread.
pub fn shard_of(asset: u32, shards: u16) -> u16 {
    let spread = (u64::from(asset) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    u16::try_from(spread % u64::from(shards)).expect("smaller than a u16")
}
