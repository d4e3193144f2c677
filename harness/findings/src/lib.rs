//! Floor 2: run to Findings to Verdicts. Pure: no clock, no I/O, no randomness.
//!
//! `facts` is the input, `findings` finds everything from it, `gates` judge what the user demands. Definitions are those of the
//! measurement page; one file holds one of them.
//!
//! * `read_run`: from the run folder to the input
//! * `facts`: the input of every figure
//! * `reading`: one reading, and what can be said of it alone
//! * `findings`: everything that the run shows
//! * `judge`: from findings to verdicts; `expected`: drills whose failure is known
//! * `gates`: what the user demands
//! * `verdict`: what a gate says, and a run
//! * `voids`: what voids a run
//! * `standstill`: what the harness hid while it stood still
//! * `statistics`: what samples prove
//! * `failover`: what a fault did, and when that was over
//! * `outage`: outages of streams and assets
//! * `outage_share`: the share of assets that is out
//! * `longest`: the longest outage per asset
//! * `goodput`: good live readings per second
//! * `latency`: exact percentiles
//! * `freshness`: how old what observers show is, and what went back in time
//! * `classes`: one class per reading and observer
//! * `loss`: acked and nowhere
//! * `delivered`: what arrived of all that was generated
//! * `duplicates`: at more than one position
//! * `order`: reordering
//! * `capacity`: what a stack carries, from a load that goes up in steps
//! * `chart`: what charts draw, per second
//! * `intervals`: intervals, and the rank of percentiles
//! * `format`: quantities as a person reads them
//! * `unasked`: whether anybody looked
//! * `shards`: which shard of which service a reading went to

pub mod capacity;
mod chart;
mod classes;
mod delivered;
mod duplicates;
mod expected;
pub mod facts;
mod failover;
mod findings;
pub mod format;
mod freshness;
pub mod gates;
mod goodput;
mod intervals;
mod judge;
mod latency;
mod longest;
mod loss;
mod order;
mod outage;
mod outage_share;
pub mod read_run;
mod reading;
mod shards;
pub mod standstill;
pub mod statistics;
mod unasked;
mod verdict;
mod voids;

pub use self::findings::{EpisodeFindings, Findings, find};
pub use chart::{Charts, PerSecond};
pub use classes::Class;
pub use delivered::Delivered;
pub use duplicates::Duplicates;
pub use expected::Expected;
pub use facts::Facts;
pub use failover::Reached;
pub use failover::affected::Affected;
pub use failover::baseline::BackToBaseline;
pub use failover::by_heal::ByHeal;
pub use failover::rto::{MayStayOut, Rto};
pub use failover::service::ServiceRto;
pub use failover::timeline::{NewLeader, Timeline};
pub use freshness::{Freshness, TimeTravel};
pub use judge::{GateVerdict, JudgeError, Verdicts, judge};
pub use latency::{Latency, Percentile};
pub use longest::{Longest, LongestBy};
pub use loss::Loss;
pub use order::Order;
pub use outage::{Outage, StreamOutage};
pub use outage_share::{Excursion, Step};
pub use reading::Reading;
pub use unasked::Unasked;
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
