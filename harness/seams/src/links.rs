//! What a way does to packets, as a scenario writes it: netem's parameters, names and meanings (tc-netem(8)).
//!
//! Jitter and loss are a plain quantity or a mapping; both are written back in the form that they were read in.

use document::{
    Complaint, Either,
    units::{Bits, Share, Size, Time},
};
use model::{BitRate, Chance, LinkQuality, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A chance per packet.
pub fn chance(share: Share) -> Chance {
    Chance(share.0)
}

pub fn bit_rate(bits: Bits) -> BitRate {
    BitRate(bits.0)
}

/// A draw per packet around the delay: `5ms`, half the width of a uniform draw, or
/// `{width: 5ms, shape: normal, correlation: 25%}`. One draw per packet as the sender's kernel hands it over: a super-packet that no loss,
/// duplication, corruption, reordering, rate or MTU divides is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Jitter {
    Width(Time),
    Shaped(Shaped),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shaped {
    /// Half the width of a uniform draw; of the other shapes the standard deviation before the cut at four of them (after it: normal 1.00,
    /// pareto 0.74, pareto_normal 0.77 of it).
    pub width: Time,
    /// The distribution of the draws, each with a mean of zero before the cut.
    #[serde(default)]
    pub shape: Shape,
    /// Correlation of a draw with the one before it on the same link; the distribution stays what it is. Less than `100%`.
    #[serde(default, deserialize_with = "less_than_all")]
    pub correlation: Share,
}

/// Packets that are lost: `2%`, each one independent of the others, or in bursts by the Gilbert-Elliott model,
/// `{p: 1%, r: 25%, bad: 100%, good: 0%}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Loss {
    Each(Share),
    Bursts(Bursts),
}

/// Each packet first moves the link between its good and its bad state, then is lost or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// Chance per packet to go from good to bad.
    pub p: Share,
    /// Chance per packet to go from bad to good: the mean burst is `1 / r` packets long. More than `0%`.
    #[serde(deserialize_with = "an_end")]
    pub r: Share,
    /// Chance of a packet to be lost in the bad state: netem's `1-h`.
    #[serde(default = "all")]
    pub bad: Share,
    /// Chance of a packet to be lost in the good state: netem's `1-k`.
    #[serde(default)]
    pub good: Share,
}

/// Everything that a way can be asked to do; what is zero or None is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub delay: Time,
    pub jitter: Jitter,
    pub loss: Loss,
    pub duplicate: Share,
    pub corrupt: Share,
    pub reorder: Share,
    pub rate: Option<Bits>,
    pub queue: Option<Size>,
    pub mtu: Option<Size>,
}

/// What cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The parameter at fault.
    pub key: &'static str,
    pub message: &'static str,
    /// A few words under the value.
    pub label: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// Linux learns no smaller path MTU than its `net.ipv4.route.min_pmtu`: below it, TCP sends into a hole for ever.
const MTU_MIN: u64 = 552;
/// Devices of the labs send no larger packet than this by themselves.
const MTU_OF_DEVICES: u64 = 1_500;

impl Way {
    pub fn quality(&self) -> LinkQuality {
        let chances = |share: Share| if share.0 == 0 { vec![] } else { vec![chance(share)] };
        let (loss, bursts) = match self.loss {
            Loss::Each(share) => (chances(share), vec![]),
            Loss::Bursts(bursts) => (vec![], vec![model::Bursts::from(bursts)]),
        };
        LinkQuality {
            delay: self.delay.0,
            jitter: Some(model::Jitter::from(self.jitter))
                .filter(|jitter| !jitter.width.is_zero())
                .into_iter()
                .collect(),
            loss,
            bursts: bursts.into_iter().filter(|bursts| bursts.share_lost() > 0.0).collect(),
            duplicate: chances(self.duplicate),
            corrupt: chances(self.corrupt),
            reorder: chances(self.reorder),
            rate: self.rate.map(bit_rate),
            queue: self.queue.map(|size| size.0),
            mtu: self.mtu.map(|size| u32::try_from(size.0).unwrap_or(u32::MAX)),
        }
    }

    /// What is wrong with it as the only quality of a way.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let jitter = model::Jitter::from(self.jitter);
        let checks = [
            (jitter.shape == Shape::Uniform && jitter.width > self.delay.0, JITTER),
            (self.reorder.0 > 0 && self.delay.0.is_zero(), REORDER),
            (self.queue.is_some() && self.rate.is_none(), QUEUE),
            (self.mtu.is_some_and(|mtu| mtu.0 < MTU_MIN), MTU_TOO_SMALL),
            (self.mtu.is_some_and(|mtu| mtu.0 >= MTU_OF_DEVICES), MTU_TOO_LARGE),
        ];
        checks.into_iter().filter_map(|(wrong, mistake)| wrong.then_some(mistake)).collect()
    }

    /// What is wrong with it on top of other qualities: jitter may take from their delay, and where any of them is `delayed` or
    /// `limited`, there is something to overtake, or to queue for.
    pub fn mistakes_on_top(&self, delayed: bool, limited: bool) -> Vec<Mistake> {
        let mut mistakes = self.mistakes();
        mistakes.retain(|mistake| match mistake.key {
            "jitter" => false,
            "reorder" => !delayed,
            "queue" => !limited,
            _ => true,
        });
        mistakes
    }
}

const JITTER: Mistake = Mistake {
    key: "jitter",
    message: "the jitter is larger than the delay",
    label: "would send packets into the past",
    help: "Write at most the delay, or raise `delay`",
};
const REORDER: Mistake = Mistake {
    key: "reorder",
    message: "`reorder` without a delay changes no order",
    label: "nothing to overtake",
    help: "A reordered packet leaves without the delay that the others wait; add `delay: 10ms`, or leave `reorder` out",
};
const QUEUE: Mistake = Mistake {
    key: "queue",
    message: "`queue` without a `rate` holds nothing",
    label: "nothing waits here",
    help: "Packets queue for the rate; add `rate: 10Mbit`, or leave `queue` out",
};
const MTU_TOO_SMALL: Mistake = Mistake {
    key: "mtu",
    message: "the `mtu` is smaller than TCP can find out",
    label: "too small",
    help: "Linux goes no lower than `552B`; a tunnel leaves about `1400B`",
};
const MTU_TOO_LARGE: Mistake = Mistake {
    key: "mtu",
    message: "the `mtu` is no smaller than that of the devices",
    label: "limits nothing",
    help: "Devices of the lab have `1500B`; write less, a tunnel leaves about `1400B`",
};

impl Default for Jitter {
    fn default() -> Self {
        Self::Width(Time::default())
    }
}

impl Default for Loss {
    fn default() -> Self {
        Self::Each(Share::default())
    }
}

impl From<Jitter> for model::Jitter {
    fn from(jitter: Jitter) -> Self {
        match jitter {
            Jitter::Width(Time(width)) => {
                Self { width, shape: Shape::Uniform, correlation: Chance(0) }
            }
            Jitter::Shaped(Shaped { width, shape, correlation }) => {
                Self { width: width.0, shape, correlation: chance(correlation) }
            }
        }
    }
}

impl From<Bursts> for model::Bursts {
    fn from(Bursts { p, r, bad, good }: Bursts) -> Self {
        Self { enter: chance(p), leave: chance(r), bad: chance(bad), good: chance(good) }
    }
}

fn all() -> Share {
    Share(1_000_000)
}

fn an_end<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    match Share::deserialize(deserializer)? {
        Share(0) => Err(Complaint::new("range", "`0%` is out of range: a burst that never ends")
            .help("Write `r` above `0%`, the mean burst is `1 / r` packets long; or cut the link")
            .raise()),
        share => Ok(share),
    }
}

fn less_than_all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    match Share::deserialize(deserializer)? {
        all if all == self::all() => Err(Complaint::new(
            "range",
            "`100%` is out of range: the first draw would be every draw",
        )
        .help("Write less, such as `90%`; or a `delay` without jitter, which is the same for every packet")
        .raise()),
        share => Ok(share),
    }
}

impl<'de> Deserialize<'de> for Jitter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "a duration such as `5ms`, or `{width: 5ms, shape: normal, correlation: 25%}`";
        deserializer.deserialize_any(Either { what, plain: Self::Width, mapping: Self::Shaped })
    }
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "a share such as `2%`, or `{p: 1%, r: 25%, bad: 100%, good: 0%}`";
        deserializer.deserialize_any(Either { what, plain: Self::Each, mapping: Self::Bursts })
    }
}

impl Serialize for Jitter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Width(width) => width.serialize(serializer),
            Self::Shaped(shaped) => shaped.serialize(serializer),
        }
    }
}

impl Serialize for Loss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Each(share) => share.serialize(serializer),
            Self::Bursts(bursts) => bursts.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
