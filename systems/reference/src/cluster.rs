//! What service, driver and observer know alike: where nodes are, and how one is asked.

use std::time::Duration;

use model::{NodeId, RegionId, ShardId};
use seams::{Network, Origin, Site, SystemError};
use tokio::time::timeout;

use crate::client::{Answer, Client, ClientError};

pub(crate) const CLIENT_PORT: u16 = 7000;
pub(crate) const PEER_PORT: u16 = 7001;
/// Patience of probes and observers with one answer.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) fn shard_id(number: u16) -> ShardId {
    ShardId::from(format!("s{number}"))
}

/// The service's nodes in a region; an error when there is none.
pub(crate) fn nodes_in(site: &Site, region: &RegionId) -> Result<Vec<NodeId>, SystemError> {
    let here: Vec<NodeId> = site.nodes_in(region).map(|(_, name)| name.clone()).collect();
    if here.is_empty() {
        return Err(SystemError::Answer {
            doing: format!("find a node of {} in {region}", site.service),
            why: "none is there".into(),
        });
    }
    Ok(here)
}

pub(crate) async fn connect(
    network: &dyn Network,
    from: &Origin,
    node: &NodeId,
) -> Result<Client, ClientError> {
    let stream = network
        .tcp(from, network.address(node, CLIENT_PORT))
        .await
        .map_err(ClientError::Connect)?;
    Client::over(stream).await
}

/// Ends a call after a while and puts the failure into words.
pub(crate) async fn within<T>(
    patience: Duration,
    doing: &str,
    call: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, SystemError> {
    let failed = |why: String| SystemError::Answer { doing: doing.to_owned(), why };
    match timeout(patience, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(ClientError::Connect(source))) => {
            Err(SystemError::Io { doing: doing.to_owned(), source })
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {patience:?}"))),
    }
}

/// One question to a node from inside itself, over a connection of its own.
pub(crate) async fn probe(
    network: &dyn Network,
    node: &NodeId,
    path: &str,
) -> Result<Answer, SystemError> {
    let doing = format!("ask {node} for {path}");
    let call = async { connect(network, &Origin::node(node), node).await?.get(path).await };
    within(CALL_TIMEOUT, &doing, call).await
}
