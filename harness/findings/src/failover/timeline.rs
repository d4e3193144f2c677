//! T0 to T6 of one failover, from what was seen. T1 and T4 are absent: they need health changes and packets that nobody records yet.

use std::collections::BTreeMap;

use model::{ServiceId, ShardId};
use serde::{Deserialize, Serialize};

use super::baseline::BackToBaseline;
use super::limits;
use super::rto::Rto;
use crate::facts::{Episode, Facts, NEVER, RoleSeen, Shard, Us};
use crate::reading::Reading;

/// Moments since the effect of the fault, which is T0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The effect itself, on the clock of the run.
    pub t0: Us,
    /// Every shard that lost its leader has a new one. An upper bound: roles are polled, so a leader is seen some time after it was
    /// elected. It is never later than T3.
    pub t2: Option<Us>,
    /// Each of those shards that ack readings had a write acked by its new leader.
    pub t3: Option<Us>,
    /// The last affected asset is good again, those without a path among them.
    pub t5: Option<Us>,
    /// Back to baseline.
    pub t6: Option<Us>,
    /// The new leader of each shard that lost its own.
    pub leaders: Vec<NewLeader>,
    /// Where most of the time went, such as `T2 to T5`.
    pub dominating: Option<String>,
}

/// A shard that lost its leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLeader {
    /// `service/shard`.
    pub shard: String,
    pub old: String,
    pub new: Option<String>,
    /// The new leader was elected by then, since the effect: it was seen to lead, or acked a write, whichever came first.
    pub elected: Option<Us>,
    /// First write that the new leader acked, since the effect.
    pub acked: Option<Us>,
}

/// `all_good` is the recovery of every affected asset.
pub(crate) fn timeline(
    facts: &Facts,
    e: &Episode,
    all_good: &Rto,
    back: &BackToBaseline,
) -> Timeline {
    let leaders = new_leaders(facts, e);
    let last = |marks: Option<Vec<Us>>| marks?.into_iter().max();
    let t2 = last(leaders.iter().map(|(l, _)| l.elected).collect());
    // Nobody writes to a shard such as a controllers' quorum: its new leader has no write to ack.
    let acking = leaders.iter().filter(|(_, shard)| shard.is_some());
    let t3 = last(acking.map(|(l, _)| l.acked).collect());
    let (t5, t6) = (all_good.value, back.value);
    let dominating = dominating([("T0", Some(0)), ("T2", t2), ("T3", t3), ("T5", t5), ("T6", t6)]);
    let leaders = leaders.into_iter().map(|(leader, _)| leader).collect();
    Timeline { t0: e.t_effect, t2, t3, t5, t6, leaders, dominating }
}

fn dominating(marks: [(&str, Option<Us>); 5]) -> Option<String> {
    let mut reached: Vec<(&str, Us)> =
        marks.iter().filter_map(|(name, t)| Some((*name, (*t)?))).collect();
    reached.sort_by_key(|(_, t)| *t);
    let gap = reached.windows(2).max_by_key(|pair| pair[1].1 - pair[0].1)?;
    Some(format!("{} to {}", gap[0].0, gap[1].0))
}

/// Shards whose leader, when the fault took effect, was a node that it hit; with the first leader of a higher term. Beside each its place
/// among the shards that ack readings.
fn new_leaders(facts: &Facts, e: &Episode) -> Vec<(NewLeader, Option<Shard>)> {
    let until = limits(facts, e).1;
    let hit: Vec<&String> = facts
        .happened
        .windows
        .iter()
        .filter(|w| e.windows.contains(&w.id))
        .flat_map(|w| &w.picked)
        .collect();
    let leading = facts.happened.roles.iter().filter(|r| r.role.kind.leads());
    let mut shards: BTreeMap<(&ServiceId, &ShardId), Vec<&RoleSeen>> = BTreeMap::new();
    leading.for_each(|r| shards.entry((&r.service, &r.shard)).or_default().push(r));
    let acking = facts.acking_shards();
    let mut found = Vec::new();
    for ((service, shard), mine) in shards {
        let before = mine.iter().filter(|r| r.t < e.t_effect).max_by_key(|r| (r.term, r.t));
        let Some(old) = before.filter(|r| hit.iter().any(|node| *node == r.node.as_str())) else {
            continue;
        };
        let new = mine
            .iter()
            .filter(|r| e.t_effect <= r.t && r.t < until && r.term > old.term)
            .min_by_key(|r| r.t);
        let name = format!("{service}/{shard}");
        let place = acking.iter().copied().find(|shard| facts.shard_name(*shard) == name);
        let acked = new.zip(place).and_then(|(r, shard)| first_ack(facts, r, shard));
        let leader = NewLeader {
            shard: name,
            old: old.node.to_string(),
            new: new.map(|r| r.node.to_string()),
            // Who acks a write leads already, whenever the next poll of roles comes.
            elected: new.map(|r| acked.map_or(r.t, |ack| ack.min(r.t)) - e.t_effect),
            acked: acked.map(|t| t - e.t_effect),
        };
        found.push((leader, place));
    }
    found
}

/// First ack of the shard that names this node; where the driver names none, of a write sent after the node was seen leading.
fn first_ack(facts: &Facts, leader: &RoleSeen, shard: Shard) -> Option<Us> {
    let node = facts.nodes.iter().position(|n| *n == leader.node.as_str());
    let by_leader = |r: &&Reading| match usize::from(r.acked_by) {
        unknown if unknown == usize::from(u16::MAX) => {
            r.sent_last < NEVER && r.sent_last >= leader.t
        }
        by => Some(by) == node && r.sent_first < NEVER,
    };
    let of_shard = |r: &&Reading| facts.shard_of(r.asset as usize, r.stream.into()) == Some(shard);
    let since = |r: &&Reading| {
        r.t_acked < NEVER && (r.t_acked >= leader.t || usize::from(r.acked_by) < facts.nodes.len())
    };
    let acks =
        facts.readings.iter().filter(of_shard).filter(since).filter(by_leader).map(|r| r.t_acked);
    acks.filter(|t| *t >= leader.t - facts.theta).min()
}
