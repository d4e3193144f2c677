//! Why affected assets were good again only once the fault was gone: nobody took over, or somebody did and they were out nevertheless.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timeline::Timeline;
use crate::facts::{Episode, Us};
use crate::format;
use crate::outage::Out;

/// The affected assets with a path that were out when the fault ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHeal {
    /// The new leaders had all acked a write by then, since the effect; `None`: no leader took over before the heal.
    pub failed_over: Option<Us>,
    /// Those whose outage began after that: they were good, and went out again.
    pub relapsed: u64,
    /// Those that were out ever since.
    pub stayed: u64,
}

/// `None` where the fault did not end, or nobody was out when it did.
pub(crate) fn by_heal(
    e: &Episode,
    timeline: &Timeline,
    assets: &[usize],
    out: &[Vec<Out>],
) -> Option<ByHeal> {
    let heal = e.t_heal?;
    let failed_over = timeline.t3.filter(|t3| e.t_effect + t3 < heal);
    let at_heal = |a: &usize| out[*a].iter().find(|o| o.start < heal && heal <= o.end);
    let starts: Vec<Us> = assets.iter().filter_map(at_heal).map(|o| o.start).collect();
    if starts.is_empty() {
        return None;
    }
    let again = |start: &&Us| failed_over.is_some_and(|t3| **start > e.t_effect + t3);
    let relapsed = starts.iter().filter(again).count() as u64;
    Some(ByHeal { failed_over, relapsed, stayed: starts.len() as u64 - relapsed })
}

impl fmt::Display for ByHeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failed_over, relapsed, stayed } = self;
        let Some(after) = failed_over else {
            return f.write_str("no failover");
        };
        write!(
            f,
            "new leaders served after {}, and when the fault ended ",
            format::duration(*after)
        )?;
        let again = format::count(*relapsed, "asset was out again", "assets were out again");
        let still = format::count(*stayed, "asset was still out", "assets were still out");
        match (relapsed, stayed) {
            (0, _) => f.write_str(&still),
            (_, 0) => write!(f, "{again} (back to where the fault was?)"),
            _ => write!(f, "{again} (back to where the fault was?) and {still}"),
        }
    }
}
