//! Where a reading goes: to `wd/<run>/r/<asset>/<stream>`, with its payload; the envelope in it says whose reading it is. Beside them lie
//! marks: whoever sees one has seen everything that this broker took before it.

use model::Identity;

pub(crate) fn of_reading(run: u64, identity: &Identity) -> String {
    format!("wd/{run:016x}/r/{}/{}", identity.asset, identity.stream)
}

/// Of marks. The payload of one is its number.
pub(crate) fn marks(run: u64) -> String {
    format!("wd/{run:016x}/mark")
}

/// Of everything of a run.
pub(crate) fn all(run: u64) -> String {
    format!("wd/{run:016x}/#")
}
