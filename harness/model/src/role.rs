//! What a server can be to a shard.

use serde::{Deserialize, Serialize};

/// What a role means, whatever its system calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleKind {
    /// Decides for the shard. One node at a time: the one with the highest term, whatever an isolated predecessor still says.
    Leads,
    /// Keeps a copy and follows whoever leads.
    Copies,
    /// Neither: a candidate, a learner, a witness.
    Other,
}

impl RoleKind {
    /// The one definition: such a role is followed, is held by one node per shard, and gives a failover its T2.
    pub fn leads(self) -> bool {
        match self {
            Self::Leads => true,
            Self::Copies | Self::Other => false,
        }
    }
}

/// A role that a node was seen to hold: the word of its system, and what the word means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeldRole {
    pub name: String,
    pub kind: RoleKind,
}
