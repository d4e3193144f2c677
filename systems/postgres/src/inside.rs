//! What a server says of itself to somebody in its own node, over a connection of its own each time.

use model::NodeId;
use seams::{Network, Origin, Site, SystemError};
use tokio_postgres::Row;

use crate::{
    CALL_TIMEOUT, SQL_PORT,
    leader::TIMELINE,
    link::{self, Link, answered},
    login::Login,
};

/// A server's own view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) in_recovery: bool,
    /// The one it writes, or follows.
    pub(crate) timeline: u64,
    /// Standbys that stream from it, and how many of them it waits for.
    pub(crate) streaming: u32,
    pub(crate) waited_for: u32,
}

pub(crate) async fn connect(
    network: &dyn Network,
    site: &Site,
    node: &NodeId,
) -> Result<Link, SystemError> {
    let origin = Origin::node(node);
    let login = Login::of_service(site);
    let opening = link::open(network, &origin, (node, SQL_PORT), &login, CALL_TIMEOUT);
    Ok(answered(&format!("connect to {node}"), opening).await?.0)
}

pub(crate) async fn standing(
    network: &dyn Network,
    site: &Site,
    node: &NodeId,
) -> Result<Standing, SystemError> {
    let link = connect(network, site, node).await?;
    let query = format!(
        "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery()
            THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))::bigint
            ELSE {TIMELINE} END,
            count(*) FILTER (WHERE state = 'streaming'),
            count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum'))
         FROM pg_stat_replication"
    );
    let doing = format!("ask {node} what it is");
    let row = answered(&doing, link.client.query_one(&query, &[])).await?;
    let number = |index| Ok::<_, SystemError>(field::<i64>(&row, index, &doing)?.cast_unsigned());
    Ok(Standing {
        in_recovery: field(&row, 0, &doing)?,
        timeline: number(1)?,
        streaming: u32::try_from(number(2)?).unwrap_or(u32::MAX),
        waited_for: u32::try_from(number(3)?).unwrap_or(u32::MAX),
    })
}

pub(crate) async fn version(
    network: &dyn Network,
    site: &Site,
    node: &NodeId,
) -> Result<String, SystemError> {
    let link = connect(network, site, node).await?;
    let doing = format!("ask {node} for its version");
    let row = answered(&doing, link.client.query_one("SHOW server_version", &[])).await?;
    field(&row, 0, &doing)
}

/// Several statements, one after the other.
pub(crate) async fn run(
    network: &dyn Network,
    site: &Site,
    node: &NodeId,
    doing: &str,
    statements: &str,
) -> Result<(), SystemError> {
    let link = connect(network, site, node).await?;
    answered(&format!("{doing} on {node}"), link.client.batch_execute(statements)).await
}

/// A field of an answer; one of another type is a server that we do not know.
pub(crate) fn field<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
    doing: &str,
) -> Result<T, SystemError> {
    row.try_get(index)
        .map_err(|error| SystemError::Answer { doing: doing.to_owned(), why: link::chain(&error) })
}
