//! Floor 2: run to Findings to Verdicts. Pure: no clock, no I/O, no randomness.
//!
//! `facts` is the input, `document` finds everything from it, `gates` judge what the user demands. Definitions are those of the
//! measurement page; one file holds one of them.
//!
//! * `from_run`: from the run folder to the input
//! * `facts`: the input of every figure
//! * `reading`: one reading, and what can be said of it alone
//! * `document`: everything that the run shows
//! * `judge`: from findings to verdicts
//! * `gates`: what the user demands
//! * `verdict`: what a gate says, and a run
//! * `voids`: what voids a run
//! * `statistics`: what samples prove
//! * `marks`: what a fault did, and when that was over
//! * `outage`: outages of streams and assets
//! * `share`: the share of assets that is out
//! * `longest`: the longest outage per asset
//! * `goodput`: good live readings per second
//! * `latency`: exact percentiles
//! * `freshness`: how old what observers show is, and what went back in time
//! * `classes`: one class per reading and observer
//! * `loss`: acked and nowhere
//! * `duplicates`: at more than one position
//! * `order`: reordering
//! * `chart`: what charts draw, per second
//! * `spans`: intervals, and the rank of percentiles
//! * `show`: quantities as a person reads them
//! * `shards`: which shard of which service a reading went to

mod chart;
mod classes;
mod document;
mod duplicates;
pub mod facts;
mod freshness;
pub mod from_run;
pub mod gates;
mod goodput;
mod judge;
mod latency;
mod longest;
mod loss;
mod marks;
mod order;
mod outage;
mod reading;
mod shards;
mod share;
pub mod show;
mod spans;
pub mod statistics;
mod verdict;
mod voids;

pub use self::document::{EpisodeFindings, Findings, find};
pub use chart::{Charts, PerSecond};
pub use classes::Class;
pub use duplicates::Duplicates;
pub use facts::Facts;
pub use freshness::{Freshness, TimeTravel};
pub use judge::{GateVerdict, JudgeError, Verdicts, judge};
pub use latency::{Latency, Percentile};
pub use longest::{Longest, LongestBy};
pub use loss::Loss;
pub use marks::Reached;
pub use marks::affected::Affected;
pub use marks::baseline::BackToBaseline;
pub use marks::rto::{MayStayOut, Rto};
pub use marks::service::ServiceRto;
pub use marks::timeline::{NewLeader, Timeline};
pub use order::Order;
pub use outage::{Outage, StreamOutage};
pub use reading::Reading;
pub use share::{Excursion, Step};
pub use verdict::Verdict;
pub use voids::{Reason, Void};

/// Groups in the order of their names, members in the order they came.
fn group<T>(
    items: impl Iterator<Item = T>,
    name: impl Fn(&T) -> String,
) -> std::collections::BTreeMap<String, Vec<T>> {
    let mut groups = std::collections::BTreeMap::<String, Vec<T>>::new();
    for item in items {
        groups.entry(name(&item)).or_default().push(item);
    }
    groups
}
