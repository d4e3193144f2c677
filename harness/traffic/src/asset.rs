//! One always-on source: its recorder, and what it has under way. A million of them lie in memory, so there is nothing else.

use crate::{in_flight::Chain, recorder::Recorder};

#[derive(Debug)]
pub(crate) struct Asset {
    /// The connection that carries it.
    pub(crate) conn: u32,
    pub(crate) under_way: Chain,
    pub(crate) recorder: Recorder,
}

#[cfg(test)]
#[test]
fn an_asset_is_small() {
    assert!(size_of::<Asset>() <= 32, "{}", size_of::<Asset>());
}
