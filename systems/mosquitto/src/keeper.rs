//! The session that keeps everything for the read-back. It subscribes before the traffic and goes away, so that each broker queues for it
//! what it acks: that is what QoS 1 promises to a subscriber who comes back. A read-back takes the queue and acks nothing of it, so that it
//! can be done again. A broker that has forgotten the session has forgotten everything that was acked for it.

use model::NodeId;
use seams::{Network, Origin, SystemError};
use tokio::time::timeout;

use crate::{
    CALL_TIMEOUT, PORT, topics,
    wire::{self, Client, Come, Opened},
};

fn client(run: u64) -> Client {
    Client { session: Some(format!("wd-{run:016x}-keeper")), acks: false }
}

/// Makes the session at a broker, from inside its own node.
pub(crate) async fn leave(
    network: &dyn Network,
    node: &NodeId,
    run: u64,
) -> Result<(), SystemError> {
    let opened = open(network, &Origin::node(node), node, client(run)).await?;
    let doing = format!("subscribe at {node}");
    answered(&doing, opened.wire.subscribe(topics::all(run))).await.map(|_| ())
}

/// What a broker has kept up to this mark, which is given to it first.
pub(crate) async fn collect(
    network: &dyn Network,
    from: &Origin,
    node: &NodeId,
    run: u64,
    mark: u64,
    mut show: impl FnMut(Come),
) -> Result<(), SystemError> {
    let mut opened = open(network, from, node, client(run)).await?;
    if !opened.known {
        return Ok(());
    }
    let doing = format!("collect what {node} kept");
    let payload = mark.to_be_bytes().to_vec().into();
    answered(&doing, opened.wire.publish(topics::marks(run), payload)).await?;
    loop {
        let come = timeout(CALL_TIMEOUT, opened.come.recv()).await.ok().flatten();
        let come = come.ok_or_else(|| SystemError::Answer {
            doing: doing.clone(),
            why: "it ended before the mark".to_owned(),
        })?;
        match marked(&come, run) {
            Some(seen) if seen == mark => return Ok(()),
            Some(_) => {}
            None => show(come),
        }
    }
}

/// The number of a mark; None of what is none.
pub(crate) fn marked(come: &Come, run: u64) -> Option<u64> {
    (come.topic == topics::marks(run))
        .then(|| come.payload[..].try_into().map_or(0, u64::from_be_bytes))
}

/// Connects to a broker.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    node: &NodeId,
    client: Client,
) -> Result<Opened, SystemError> {
    let doing = format!("connect to {node}");
    answered(&doing, wire::open(network, from, network.address(node, PORT), client)).await
}

/// Waits for an answer, for a while: a stopped broker accepts connections and says nothing.
pub(crate) async fn answered<T, E: std::fmt::Display>(
    doing: &str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, SystemError> {
    let why = match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
    };
    Err(SystemError::Answer { doing: doing.to_owned(), why })
}
