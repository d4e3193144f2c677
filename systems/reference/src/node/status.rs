//! What a node believes, as JSON.

use std::collections::BTreeMap;

use openraft::ServerState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{server::Node, shard::Shard};

/// What a node is to one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RaftRole {
    Leader,
    Candidate,
    Follower,
}

/// The answer of `/v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) node: String,
    /// Whether the link to each peer stands.
    pub(crate) peers: BTreeMap<String, bool>,
    pub(crate) shards: Vec<ShardStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardStatus {
    pub(crate) shard: u16,
    pub(crate) role: RaftRole,
    pub(crate) term: u64,
    pub(crate) leader: Option<String>,
    pub(crate) home: String,
    /// Index of the last entry known to be committed, applied, written. Entries hold batches: these are no positions of readings.
    pub(crate) committed: Option<u64>,
    pub(crate) applied: Option<u64>,
    pub(crate) written: Option<u64>,
    /// Position after the last reading that can be read here.
    pub(crate) end: u64,
    /// On the leader: entries that each follower still lacks.
    pub(crate) behind: BTreeMap<String, u64>,
}

pub(crate) async fn of(node: &Node) -> Value {
    let mut shards = vec![];
    for shard in &node.shards {
        shards.push(shard_status(node, shard).await);
    }
    let peers =
        node.links.iter().map(|(number, link)| (name(node, *number), link.is_up())).collect();
    serde_json::to_value(Status { node: node.args.id.clone(), peers, shards }).expect("plain data")
}

async fn shard_status(node: &Node, shard: &Shard) -> ShardStatus {
    // A group that is shut down knows nothing; the node is about to end.
    let committed = shard
        .raft
        .with_raft_state(|state| state.committed.map(|id| id.index))
        .await
        .unwrap_or(None);
    let metrics = shard.raft.metrics().borrow().clone();
    let written = metrics.last_log_index;
    let followers = metrics.replication.iter().flatten().filter(|(number, _)| **number != node.me);
    let entries = |last: Option<u64>| last.map_or(0, |index| index + 1);
    let lacks = |matched: Option<u64>| entries(written).saturating_sub(entries(matched));
    ShardStatus {
        shard: shard.number,
        role: match metrics.state {
            ServerState::Leader => RaftRole::Leader,
            ServerState::Candidate => RaftRole::Candidate,
            ServerState::Follower | ServerState::Learner | ServerState::Shutdown => {
                RaftRole::Follower
            }
        },
        term: metrics.current_term,
        leader: metrics.current_leader.map(|number| name(node, number)),
        home: name(node, shard.home()),
        committed,
        applied: metrics.last_applied.map(|id| id.index),
        written,
        end: shard.view.length(),
        behind: followers
            .map(|(number, matched)| (name(node, *number), lacks(matched.map(|id| id.index))))
            .collect(),
    }
}

fn name(node: &Node, number: u64) -> String {
    node.members.name(number).unwrap_or_default().into()
}
