//! Where a reading lies: one row for each attempt that was inserted, never changed, without any key, so that every duplicate is seen.
//!
//! `position` is `timeline << 40 | transaction id`: a transaction has one row. Positions of one server's history count up with its
//! transactions, over a promotion too. Two histories that parted may both use a position (an old primary that was promoted again takes
//! the number of a timeline that another one took), so positions of one are never compared with those of the other.

use model::Identity;

use crate::{leader::TIMELINE, login::Name};

/// Bits of a position that hold the transaction id; the timeline stands above.
pub(crate) const XID_BITS: u32 = 40;

/// Makes the table. The driver fills the columns up to `payload` and needs no more of a server than this.
pub(crate) fn create(table: &Name) -> String {
    let index = table.to_string().replace('.', "_");
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            run bigint NOT NULL, asset bigint NOT NULL, stream integer NOT NULL, boot bigint NOT NULL, seq bigint NOT NULL,
            attempt integer NOT NULL, payload bytea NOT NULL,
            position bigint NOT NULL DEFAULT ({TIMELINE} << {XID_BITS} | pg_current_xact_id()::text::bigint));
         CREATE INDEX IF NOT EXISTS {index}_position ON {table} (run, position)"
    )
}

/// The driver's one statement.
pub(crate) fn insert(table: &Name) -> String {
    format!(
        "INSERT INTO {table} (run, asset, stream, boot, seq, attempt, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
}

/// One page of rows behind a position, of transactions before an id, in the order of their positions.
pub(crate) fn page(table: &Name, rows: u32) -> String {
    format!(
        "SELECT position, asset, stream, boot, seq, payload FROM {table}
         WHERE run = $1 AND position > $2 AND position & {} < $3 ORDER BY position LIMIT {rows}",
        (1_u64 << XID_BITS) - 1
    )
}

/// The last position of the run; null where there is none.
pub(crate) fn last(table: &Name) -> String {
    format!("SELECT max(position) FROM {table} WHERE run = $1")
}

/// The columns that name a reading, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) asset: i64,
    pub(crate) stream: i32,
    pub(crate) boot: i64,
    pub(crate) seq: i64,
}

impl From<&Identity> for Columns {
    fn from(identity: &Identity) -> Self {
        Self {
            asset: identity.asset.into(),
            stream: identity.stream.into(),
            boot: identity.boot.into(),
            seq: identity.seq.cast_signed(),
        }
    }
}

impl Columns {
    /// None for a row that no driver of ours wrote.
    pub(crate) fn identity(self) -> Option<Identity> {
        Some(Identity {
            asset: self.asset.try_into().ok()?,
            stream: self.stream.try_into().ok()?,
            boot: self.boot.try_into().ok()?,
            seq: self.seq.cast_unsigned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identity_comes_back() {
        let most = Identity { asset: u32::MAX, stream: u16::MAX, boot: u16::MAX, seq: u64::MAX };
        assert_eq!(Columns::from(&most).identity(), Some(most));
        assert_eq!(Columns { stream: -1, ..Columns::from(&most) }.identity(), None);
    }
}
