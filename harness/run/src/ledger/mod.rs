//! The ledger: what became of every reading, and what every observer saw, in chunks that survive a kill.
//!
//! A file is a header of 8 bytes (`WDLG`, version u8, kind u8, two zeroes) and chunks. A chunk is a header of 24 bytes, little endian:
//! `length u32, rows u32, until i64, body crc32c u32, header crc32c u32` (the last over the 20 bytes before it), and a body of `length`
//! bytes. `until` is the harness time at which it was cut: by then the schedule had been generated up to there. A chunk is cut
//! every second, also an empty one, or after 65 536 rows; its rows are sorted by asset.
//!
//! Numbers in a body are LEB128 varints; signed ones are zigzag coded. Rows are written against the schedule: `seq` as the distance
//! from the number of readings due before `until`, times as distances from the intended time, which is therefore never stored.

mod chunks;
mod readings;
mod sightings;
mod varint;

pub use chunks::Damage;
pub use readings::{Ledger, Readings};
pub use sightings::Sightings;
pub(crate) use sightings::read as read_sightings;

/// Cut after this many rows, also within a second.
pub(crate) const ROWS_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
