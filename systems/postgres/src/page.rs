//! Rows of a run, read in pages from one server.

use model::{Sighting, envelope::Envelope};
use seams::{SightingSink, SystemError, Vantage};
use tokio_postgres::{Row, Statement, types::ToSql};

use crate::{
    inside::field,
    link::{Link, answered},
    login::Name,
    table::{self, Columns, XID_BITS},
};

const ROWS: u32 = 2_000;
const DOING: &str = "read a page of rows";

/// Every transaction: for readers in a snapshot that does not move.
pub(crate) const ALL: i64 = 1 << XID_BITS;

/// A server, and the statement that reads pages there.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) link: Link,
    page: Statement,
    run: u64,
}

impl Reader {
    pub(crate) async fn new(link: Link, table: &Name, run: u64) -> Result<Self, SystemError> {
        let text = table::page(table, ROWS);
        let page = answered("prepare to read", link.client.prepare(&text)).await?;
        Ok(Self { link, page, run })
    }

    /// Shows all rows behind a position, of transactions before an id; returns the position of the last one.
    pub(crate) async fn show(
        &self,
        after: i64,
        before: i64,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) -> Result<i64, SystemError> {
        let mut last = after;
        loop {
            let rows = self.rows(last, before).await?;
            let at = vantage.clock.stamp(self.link.last_read());
            for row in &rows {
                last = field(row, 0, DOING)?;
                if let Some(sighting) = self.sighting(row, last, at)? {
                    sink.saw(sighting);
                }
            }
            if rows.len() < ROWS as usize {
                return Ok(last);
            }
        }
    }

    async fn rows(&self, after: i64, before: i64) -> Result<Vec<Row>, SystemError> {
        let run = self.run.cast_signed();
        let values: [&(dyn ToSql + Sync); 3] = [&run, &after, &before];
        answered(DOING, self.link.client.query(&self.page, &values)).await
    }

    fn sighting(
        &self,
        row: &Row,
        position: i64,
        at: model::Micros,
    ) -> Result<Option<Sighting>, SystemError> {
        let columns = Columns {
            asset: field(row, 1, DOING)?,
            stream: field(row, 2, DOING)?,
            boot: field(row, 3, DOING)?,
            seq: field(row, 4, DOING)?,
        };
        let payload: &[u8] = field(row, 5, DOING)?;
        Ok(columns.identity().map(|identity| Sighting {
            identity,
            at,
            position: Some(position.cast_unsigned()),
            intact: Envelope::read(payload)
                .is_ok_and(|envelope| envelope.run == self.run && envelope.identity == identity),
        }))
    }
}
