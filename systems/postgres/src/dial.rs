//! Connections of a cell's pool, each to whoever leads, and one insert over them.

use std::sync::Arc;

use model::Outcome;
use seams::{Answer, Attempt, Clock, ConnectRequest, Network, Opened, Origin, Protocol};
use tokio_postgres::{Statement, types::ToSql};

use crate::{
    leader::{self, Ask},
    link::Link,
    login::Name,
    table::{self, Columns},
    verdict,
};

pub(crate) struct SqlDial {
    pub(crate) ask: Ask,
    pub(crate) table: Name,
    pub(crate) pool: u32,
    pub(crate) run: u64,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
}

/// A connection with its prepared statement.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    link: Arc<Link>,
    insert: Statement,
    node: model::NodeIndex,
}

impl Protocol for SqlDial {
    type Wire = Wire;

    /// Neighbours share a cell's pool evenly.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        Ok(request.assets.start / request.assets.len().max(1) as u32 % self.pool)
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        _line: u32,
    ) -> Result<Opened<Wire>, &'static str> {
        let found = leader::find(&network, &from, &self.ask).await?;
        let text = table::insert(&self.table);
        let preparing = found.link.client.prepare(&text);
        let insert = preparing.await.map_err(|_| "the insert could not be prepared")?;
        let wire = Wire { link: Arc::new(found.link), insert, node: found.node };
        let ended =
            Box::pin(async { found.driving.await.unwrap_or("the connection was given up") });
        Ok(Opened { wire, node: found.node, ended })
    }

    /// The rows behind one another in the order of sending; each is a transaction of its own.
    async fn send(&self, wire: &Wire, attempt: Attempt) -> Answer {
        if wire.link.client.is_closed() {
            return Answer::refused(self.clock.now());
        }
        let Columns { asset, stream, boot, seq } = Columns::from(&attempt.identity);
        let (run, number) = (self.run.cast_signed(), i32::from(attempt.number));
        let payload = &attempt.payload[..];
        let values: [&(dyn ToSql + Sync); 7] =
            [&run, &asset, &stream, &boot, &seq, &number, &payload];
        let under_way = wire.link.request();
        let done = wire.link.client.execute(&wire.insert, &values).await;
        drop(under_way);
        match done {
            Ok(_) => Answer {
                outcome: Outcome::Acked,
                at: self.clock.stamp(wire.link.last_read()),
                by: Some(wire.node),
                position: None,
            },
            Err(error) => {
                self.network.failed(&error);
                if verdict::does_not_lead(&error) {
                    wire.link.leave();
                }
                let outcome = verdict::of_failure(&error);
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}
