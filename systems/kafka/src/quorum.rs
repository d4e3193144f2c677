//! The controllers: who votes on the cluster's metadata, whether brokers do so too or others for them.

use model::NodeId;
use seams::{Network, Origin, ServiceRef, Site, SystemError};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, CONTROLLER_PORT,
    calls::{self, answered},
    login::Door,
    topic,
    wire::Wire,
};

/// Numbers of controllers of their own begin after this one: brokers are numbered from 1, and no number may be there twice.
const APART: i32 = 1000;

/// A controller's number and its node.
pub(crate) type Voter = (i32, NodeId);

/// Every controller of the cluster of these brokers, in the order of the nodes' names.
pub(crate) fn of_brokers(site: &Site, apart: Option<&ServiceRef>) -> Vec<Voter> {
    match apart {
        None => topic::brokers(site).map(|(number, node)| (number, node.clone())).collect(),
        Some(ServiceRef(service)) => numbered(site.topology.nodes_of(service)),
    }
}

/// Every controller of a service that has nothing else.
pub(crate) fn apart(site: &Site) -> Vec<Voter> {
    numbered(site.nodes())
}

fn numbered<'a>(nodes: impl Iterator<Item = &'a NodeId>) -> Vec<Voter> {
    (APART + 1..).zip(nodes.cloned()).collect()
}

/// The active controller in the highest epoch.
pub(crate) async fn active<'a>(
    network: &dyn Network,
    voters: &'a [Voter],
    door: &Door,
) -> Result<&'a Voter, SystemError> {
    let mut newest: Option<(u64, &Voter)> = None;
    for voter in voters {
        if let Some(epoch) = epoch(network, &voter.1, door).await?
            && newest.is_none_or(|(known, _)| epoch > known)
        {
            newest = Some((epoch, voter));
        }
    }
    newest.map(|(_, voter)| voter).ok_or_else(|| nobody("an active controller"))
}

/// The epoch in which a node's controller is the active one, if it is.
pub(crate) async fn epoch(
    network: &dyn Network,
    node: &NodeId,
    door: &Door,
) -> Result<Option<u64>, SystemError> {
    // Nobody logs in to a controller.
    let door = door.clone().without_login();
    let wire = inside(network, node, CONTROLLER_PORT, &door).await?;
    answered(|| format!("ask {node} for its quorum"), calls::controller_epoch(&wire)).await
}

pub(crate) fn nobody(wanted: &str) -> SystemError {
    SystemError::Answer { doing: format!("find {wanted}"), why: "there is none".to_owned() }
}

/// A fresh connection to a node from inside it: it crosses no link, and no old connection answers for it.
pub(crate) async fn inside(
    network: &dyn Network,
    node: &NodeId,
    port: u16,
    door: &Door,
) -> Result<Wire, SystemError> {
    let doing = || format!("connect to {node}");
    let origin = Origin::node(node);
    match timeout(CALL_TIMEOUT, door.open(network, &origin, network.address(node, port))).await {
        Ok(Ok((wire, _driving))) => Ok(wire),
        Ok(Err(source)) => Err(SystemError::Io { doing: doing(), source }),
        Err(_) => {
            let why = format!("no answer within {CALL_TIMEOUT:?}");
            Err(SystemError::Answer { doing: doing(), why })
        }
    }
}
