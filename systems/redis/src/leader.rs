//! Who leads: every node is asked at once for its role and for the epoch in which its sentinel knows the master; of those that say that they
//! are master the one with the highest epoch wins, since an isolated one says so too.

use std::{sync::Arc, time::Duration};

use model::{NodeId, NodeIndex};
use redis::Value;
use seams::{Network, Origin};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    GROUP, SENTINEL_PORT, SERVER_PORT,
    link::{self, Link},
};

/// How long the others are given when one has said that it is master.
const GRACE: Duration = Duration::from_millis(200);

/// A connection to the master.
pub(crate) struct Found {
    pub(crate) node: NodeIndex,
    pub(crate) link: Link,
    pub(crate) task: JoinSet<&'static str>,
}

/// # Errors
/// No server says that it is master. No patience of its own: a server that does not answer is waited for.
pub(crate) async fn find(
    network: &Arc<dyn Network>,
    from: &Origin,
    nodes: &[(NodeIndex, NodeId)],
) -> Result<Found, &'static str> {
    let mut asked = JoinSet::new();
    for (node, name) in nodes.iter().cloned() {
        let (network, from) = (network.clone(), from.clone());
        asked.spawn(async move {
            let (link, task) =
                link::open(&*network, &from, network.address(&name, SERVER_PORT)).await.ok()?;
            is_master(&link).await?.then_some(())?;
            let epoch = timeout(GRACE, epoch(&*network, &from, &name)).await.ok().flatten();
            Some((epoch.unwrap_or(0), Found { node, link, task }))
        });
    }
    let mut best: Option<(u64, Found)> = None;
    let mut until: Option<Instant> = None;
    loop {
        let next = match until {
            None => asked.join_next().await,
            Some(at) => timeout_at(at, asked.join_next()).await.unwrap_or(None),
        };
        let Some(answer) = next else { break };
        let Ok(Some((epoch, found))) = answer else { continue };
        until.get_or_insert_with(|| Instant::now() + GRACE);
        if best.as_ref().is_none_or(|(highest, _)| *highest < epoch) {
            best = Some((epoch, found));
        }
    }
    best.map(|(_, found)| found).ok_or("no server says that it is master")
}

/// What a server says of itself (`ROLE`).
pub(crate) async fn is_master(link: &Link) -> Option<bool> {
    let role: Vec<Value> = link.ask(&redis::cmd("ROLE")).await.ok()?;
    let word: String = redis::from_redis_value(role.into_iter().next()?).ok()?;
    Some(word == "master")
}

/// The `config-epoch` of the master, by the sentinel of a node.
pub(crate) async fn epoch(network: &dyn Network, from: &Origin, node: &NodeId) -> Option<u64> {
    let (sentinel, _task) =
        link::open(network, from, network.address(node, SENTINEL_PORT)).await.ok()?;
    let of_master = redis::cmd("SENTINEL").arg("MASTER").arg(GROUP).clone();
    let said: Vec<String> = sentinel.ask(&of_master).await.ok()?;
    field(&said, "config-epoch")?.parse().ok()
}

/// A value behind its name, in a list of both by turns.
pub(crate) fn field<'a>(said: &'a [String], name: &str) -> Option<&'a str> {
    said.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str())
}
