//! What a way does to packets: netem's parameters, with laws. Two ways one behind the other are [`LinkQuality::then`], which is
//! commutative and associative with [`LinkQuality::default`] as its identity: delays add, chances and draws are kept as sorted lists
//! (sums of draws and products of floats would depend on order), the tighter limit wins.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{BitRate, Chance, Lever};

/// What one direction does to packets, for as long as it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkQuality {
    /// Time in flight.
    pub delay: Duration,
    /// Independent draws that are added to the delay, sorted; the sum is never below zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jitter: Vec<Jitter>,
    /// Independent chances of each packet to be lost, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss: Vec<Chance>,
    /// Independent two-state processes that lose packets in bursts, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<Bursts>,
    /// Chances of each packet to arrive twice, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duplicate: Vec<Chance>,
    /// Chances of each packet to have one bit flipped behind its IP header, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrupt: Vec<Chance>,
    /// Chances of each packet to leave without the delay, sorted. On a link that has any, jitter makes packets overtake each other too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reorder: Vec<Chance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<BitRate>,
    /// Bytes of IP packets that may wait for the rate; without it 100 ms of the rate, and never less than 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u64>,
    /// The largest IP packet that passes, in bytes; a larger one is answered with ICMP "packet too big" (RFC 1191, RFC 8201).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}

/// One draw per packet around the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Jitter {
    /// Half the width of a uniform draw; of the others the standard deviation before the cut at four of them (after it: normal 1.00, Pareto
    /// 0.74, Pareto-normal 0.77 of it).
    pub width: Duration,
    pub shape: Shape,
    /// Correlation of a draw with the one before it on the same link: a first-order autoregressive process under the distribution, so
    /// that the distribution itself stays what it is (netem's own correlation narrows it).
    pub correlation: Chance,
}

/// The distribution of a draw. All have a mean of zero before the cut: those without bounds are cut off at four standard deviations, as
/// netem's tables are.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    #[default]
    Uniform,
    /// Cut off at four standard deviations, as the next two are.
    Normal,
    /// A long tail of late packets: Pareto with a shape of 3, moved and scaled to a mean of zero and a deviation of one.
    Pareto,
    /// A quarter normal, three quarters Pareto, as netem mixes them.
    ParetoNormal,
}

/// The Gilbert-Elliott model: a link is in its good or its bad state, and each packet first moves the state, then is lost or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bursts {
    /// Chance per packet to go from good to bad (netem's `p`).
    pub enter: Chance,
    /// Chance per packet to go from bad to good (netem's `r`). The mean burst is `1 / leave` packets long.
    pub leave: Chance,
    /// Chance of a packet to be lost in the bad state (netem's `1-h`).
    pub bad: Chance,
    /// Chance of a packet to be lost in the good state (netem's `1-k`).
    pub good: Chance,
}

impl Bursts {
    /// Share of packets that meet the bad state in the long run: `p / (p + r)`. Without any change of state the link stays good.
    pub fn share_bad(self) -> f64 {
        let (enter, leave) = (self.enter.as_f64(), self.leave.as_f64());
        if enter + leave > 0.0 { enter / (enter + leave) } else { 0.0 }
    }

    /// Share of packets that are lost in the long run.
    pub fn share_lost(self) -> f64 {
        let bad = self.share_bad();
        bad * self.bad.as_f64() + (1.0 - bad) * self.good.as_f64()
    }
}

impl LinkQuality {
    /// Two ways one behind the other, or one way with a fault on top.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let Self { delay, jitter, loss, bursts, duplicate, corrupt, reorder, rate, queue, mtu } =
            next;
        Self {
            delay: self.delay + *delay,
            jitter: merged(&self.jitter, jitter),
            loss: merged(&self.loss, loss),
            bursts: merged(&self.bursts, bursts),
            duplicate: merged(&self.duplicate, duplicate),
            corrupt: merged(&self.corrupt, corrupt),
            reorder: merged(&self.reorder, reorder),
            rate: tighter(self.rate, *rate),
            queue: tighter(self.queue, *queue),
            mtu: tighter(self.mtu, *mtu),
        }
    }

    /// What a lab must be able to do for this quality.
    pub fn levers(&self) -> BTreeSet<Lever> {
        let Self { delay, jitter, loss, bursts, duplicate, corrupt, reorder, rate, queue, mtu } =
            self;
        let levers = [
            (!delay.is_zero(), Lever::Delay),
            (!jitter.is_empty(), Lever::Jitter),
            (!loss.is_empty() || !bursts.is_empty(), Lever::Loss),
            (!duplicate.is_empty(), Lever::Duplicate),
            (!corrupt.is_empty(), Lever::Corrupt),
            (!reorder.is_empty(), Lever::Reorder),
            (rate.is_some() || queue.is_some(), Lever::Rate),
            (mtu.is_some(), Lever::Mtu),
        ];
        levers.into_iter().filter_map(|(asked, lever)| asked.then_some(lever)).collect()
    }

    /// Bytes that may wait for the rate; None without a rate.
    pub fn queue_bytes(&self) -> Option<u64> {
        self.rate.map(|rate| self.queue.unwrap_or_else(|| (rate.0 / 8 / 10).max(64 << 10)))
    }

    /// The chance that a packet of a burst-free moment survives: the product of `1 - p`.
    pub fn survival(&self) -> f64 {
        none_of(&self.loss)
    }
}

/// The chance that none of these independent trials comes true.
pub fn none_of(chances: &[Chance]) -> f64 {
    chances.iter().map(|chance| 1.0 - chance.as_f64()).product()
}

pub(crate) fn merged<T: Ord + Copy>(mine: &[T], theirs: &[T]) -> Vec<T> {
    let mut all = [mine, theirs].concat();
    all.sort_unstable();
    all
}

/// The lower of two limits; None is no limit.
fn tighter<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
