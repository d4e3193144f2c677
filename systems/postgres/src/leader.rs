//! Who leads: every node is asked at once, and of those that take writes the one on the highest timeline wins.
//!
//! An isolated primary may take writes all the while, so the first one that says so is not enough. The others are given as long again as
//! the first leader took to answer, and 200 ms at the least.

use std::{sync::Arc, time::Duration};

use model::{NodeId, NodeIndex};
use seams::{Network, Origin};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_postgres::{SimpleQueryMessage, error::SqlState};

use crate::{
    link::{self, Link, OpenError},
    login::Login,
};

/// The timeline that a primary writes: the first eight digits of the name of its log file. Only a primary can say it.
pub(crate) const TIMELINE: &str =
    "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint";

/// How long the others are given at the least when one has said that it leads.
const GRACE: Duration = Duration::from_millis(200);

/// A connection to the leader.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) node: NodeIndex,
    pub(crate) name: NodeId,
    pub(crate) link: Link,
    pub(crate) driving: JoinHandle<&'static str>,
}

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) nodes: Vec<(NodeIndex, NodeId)>,
    pub(crate) port: u16,
    pub(crate) login: Login,
    pub(crate) silence: Duration,
}

/// Connects to every node and keeps the connection to the leader; `Err` when nobody says that it leads, with the reason of one that turned
/// the client away. No patience of its own: where no node
/// leads it takes as long as the slowest answer.
pub(crate) async fn find(
    network: &Arc<dyn Network>,
    from: &Origin,
    ask: &Ask,
) -> Result<Found, &'static str> {
    let began = Instant::now();
    let mut asked = JoinSet::new();
    for (node, name) in ask.nodes.clone() {
        let (network, from, ask) = (network.clone(), from.clone(), ask.clone());
        asked.spawn(async move {
            let to = (&name, ask.port);
            let (link, driving) = link::open(&*network, &from, to, &ask.login, ask.silence).await?;
            let timeline = leads(&link).await?;
            Ok::<_, OpenError>(timeline.map(|term| (term, Found { node, name, link, driving })))
        });
    }
    let mut best: Option<(u64, Found)> = None;
    let (mut until, mut refused) = (None, None);
    loop {
        let next = match until {
            None => asked.join_next().await,
            Some(at) => timeout_at(at, asked.join_next()).await.unwrap_or(None),
        };
        let Some(answer) = next else { break };
        let (term, found) = match answer {
            Ok(Ok(Some(leader))) => leader,
            Ok(Err(error)) => {
                refused = refused.or(error.refusal());
                continue;
            }
            Ok(Ok(None)) | Err(_) => continue,
        };
        until.get_or_insert_with(|| Instant::now() + began.elapsed().max(GRACE));
        if best.as_ref().is_none_or(|(highest, _)| *highest < term) {
            best = Some((term, found));
        }
    }
    best.map(|(_, found)| found).ok_or(refused.unwrap_or("no server says that it leads"))
}

/// The timeline of a server that takes writes; None of one that does not. A server that knows no timelines is on 0.
async fn leads(link: &Link) -> Result<Option<u64>, tokio_postgres::Error> {
    let read_only = said(link, "SHOW transaction_read_only").await?;
    if read_only.as_deref() != Some("off") {
        return Ok(None);
    }
    match said(link, &format!("SELECT {TIMELINE}")).await {
        Ok(timeline) => Ok(Some(timeline.and_then(|text| text.parse().ok()).unwrap_or(0))),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_FUNCTION) => Ok(Some(0)),
        Err(error) => Err(error),
    }
}

/// The first field of the first row, as text.
async fn said(link: &Link, query: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let answer = link.client.simple_query(query).await?;
    let field = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(field.map(ToOwned::to_owned))
}
