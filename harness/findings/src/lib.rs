//! Floor 2: run to Findings to Verdicts. Pure: no clock, no I/O, no randomness.
//!
//! `facts` is the input, `document` finds everything from it, `gates` judge what the user demands. Definitions are those of the
//! measurement page; one file holds one of them.

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
