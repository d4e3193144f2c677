//! How raft groups reach their peers: every group of a node shares the one link to each peer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use openraft::{
    RaftNetwork, RaftNetworkFactory,
    error::{InstallSnapshotError, NetworkError, RPCError, RaftError, Unreachable},
    network::{Backoff, RPCOption},
    raft::{
        AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest,
        InstallSnapshotResponse, VoteRequest, VoteResponse,
    },
};

use super::{
    link::{Broken, Link},
    types::Types,
    wire::{Answer, Request},
};

/// Pause before the next try to a peer that is not connected.
const BACKOFF: Duration = Duration::from_millis(100);

pub(crate) type Links = Arc<BTreeMap<u64, Link>>;

/// Makes the ways of one shard.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    pub(crate) shard: u16,
    pub(crate) links: Links,
}

impl RaftNetworkFactory<Types> for Ways {
    type Network = Way;

    async fn new_client(&mut self, target: u64, _: &openraft::EmptyNode) -> Way {
        let link = self
            .links
            .get(&target)
            .expect("raft asks for members only, and each has a link")
            .clone();
        Way { shard: self.shard, link }
    }
}

#[derive(Debug)]
pub(crate) struct Way {
    shard: u16,
    link: Link,
}

type Failed<E> = RPCError<u64, openraft::EmptyNode, RaftError<u64, E>>;

fn broken<E: std::error::Error>(broken: Broken) -> Failed<E> {
    match broken {
        Broken::Down => RPCError::Unreachable(Unreachable::new(&broken)),
        Broken::Lost => RPCError::Network(NetworkError::new(&broken)),
    }
}

fn refused<E: std::error::Error>(why: &str) -> Failed<E> {
    RPCError::Network(NetworkError::new(&std::io::Error::other(why.to_owned())))
}

impl RaftNetwork<Types> for Way {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, openraft::EmptyNode, RaftError<u64>>>
    {
        match self.link.ask(Request::Append { shard: self.shard, rpc }).await.map_err(broken)? {
            Answer::Append(answer) => Ok(answer),
            _ => Err(refused("the peer's raft group is shut down")),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        _: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, openraft::EmptyNode, RaftError<u64>>> {
        match self.link.ask(Request::Vote { shard: self.shard, rpc }).await.map_err(broken)? {
            Answer::Vote(answer) => Ok(answer),
            _ => Err(refused("the peer's raft group is shut down")),
        }
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<u64>,
        RPCError<u64, openraft::EmptyNode, RaftError<u64, InstallSnapshotError>>,
    > {
        Err(refused("the whole log is kept: there are no snapshots"))
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
