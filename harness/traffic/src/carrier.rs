//! What carries assets: a connection, and who sends over it. One asset, or as many as a gateway has.

use std::ops::Range;

use model::Micros;

use crate::connection::Connection;

#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) connection: Connection,
    /// Their numbers within the fleet; never empty, and all of one home.
    pub(crate) assets: Range<u32>,
    pub(crate) cohort: u16,
    /// Readings of all of them without an answer.
    pub(crate) under_way: u32,
    pub(crate) up: Up,
}

/// What the replay's pace goes by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Up {
    /// The connection stands since then; after a planned silence, since the acquisition of signal.
    pub(crate) since: Micros,
    /// How often the platform has failed it.
    pub(crate) troubles: u32,
}

impl Carrier {
    pub(crate) fn new(assets: Range<u32>, cohort: u16) -> Self {
        let (connection, up) = (Connection::default(), Up::default());
        Self { connection, assets, cohort, under_way: 0, up }
    }
}
