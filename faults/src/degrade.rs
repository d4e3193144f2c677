//! Links get slow, lossy or narrow; nothing is cut. netem's parameters, names and meanings.
//!
//! Absent on purpose: quality that changes by the clock, which is the link's own (`stack.links`, `access`).

use document::{
    units::{Bits, Share, Size, Time},
    within::{HOUR, Within},
};
use model::{Conditions, LinkCondition, LinkQuality, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{
    Fault, Moment, Objection,
    links::{Jitter, Loss, Way},
};
use serde::{Deserialize, Serialize};

use crate::{
    links::{Direction, Others, around, between, from_beside_between, side},
    target::{Aim, check_aims},
};

pub(crate) const EXAMPLE: &str = "{between: [{region: us-west}, {region: us-east}], delay: 80ms, jitter: 5ms, loss: 2%, rate: 10Mbit}";

/// What links suffer, on top of their steady quality. Exactly one of `around` and `between` says which links.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Degrade {
    /// Every link of these nodes to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Aim>,
    /// Links between two sides. A side that names nothing but a region is the whole region, its assets and observers included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<[Aim; 2]>,
    /// With `around`: links to whom; `all` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Others>,
    /// Which way packets suffer, seen from these nodes (with `between`: from the first side).
    #[serde(default)]
    pub direction: Direction,
    /// Added to the way of each packet.
    #[serde(default)]
    pub delay: Within<Time, 0, HOUR>,
    /// A draw added to the delay: `5ms`, or `{width: 5ms, shape: uniform | normal | pareto | pareto_normal, correlation: 25%}`.
    #[serde(default)]
    pub jitter: Jitter,
    /// Packets that are lost: `2%` each on its own, or in bursts, `{p: 1%, r: 25%, bad: 100%, good: 0%}`.
    #[serde(default)]
    pub loss: Loss,
    /// Chance of each packet to arrive twice.
    #[serde(default)]
    pub duplicate: Share,
    /// Chance of each packet to have one bit flipped; a checksum then refuses most of them, which makes it a loss.
    #[serde(default)]
    pub corrupt: Share,
    /// Chance of each packet to leave without the delay, the steady one included, ahead of those that wait.
    #[serde(default)]
    pub reorder: Share,
    /// At most so much passes; the tighter of two rates holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Bits>,
    /// How much may wait for the rate; the smaller of two queues holds. 100 ms of the rate, at least `64KiB`, unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Size>,
    /// The largest IP packet that passes; a larger one is answered with "packet too big". The smaller of two holds. From `552B` to `1499B`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Size>,
}

impl Degrade {
    fn way(&self) -> Way {
        let Self { delay, jitter, loss, duplicate, corrupt, reorder, rate, queue, mtu, .. } = *self;
        let delay = *delay;
        Way { delay, jitter, loss, duplicate, corrupt, reorder, rate, queue, mtu }
    }

    /// What cannot be meant on top of any steady way: there, a delay may be waited for and a rate be queued for already.
    fn mistakes(&self, topology: &Topology) -> impl Iterator<Item = Objection> {
        let delayed = steady(topology).any(|quality| !quality.delay.is_zero());
        let limited = steady(topology).any(|quality| quality.rate.is_some());
        self.way()
            .mistakes_on_top(delayed, limited)
            .into_iter()
            .map(|mistake| Objection::new(mistake.key, mistake.message).help(mistake.help))
    }
}

/// Every quality that some way has at some time when no fault is open.
fn steady(topology: &Topology) -> impl Iterator<Item = &LinkQuality> {
    let Topology { cells, wan, wan_tracks, .. } = topology;
    let tracks = wan_tracks.values().chain(cells.values().map(|cell| &cell.track));
    let by_the_clock = tracks.flat_map(|track| &track.slots).map(|slot| &slot.quality);
    wan.values().chain(cells.values().map(|cell| &cell.access)).chain(by_the_clock)
}

impl Fault for Degrade {
    fn targets(&self) -> Vec<Target> {
        let aims = self.around.iter().chain(self.between.iter().flatten());
        aims.map(|aim| aim.target().into()).collect()
    }

    fn deed(&self) -> &'static str {
        "degrading"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let topology = now.topology;
        let links = match &self.between {
            Some([first, second]) => between(
                &side(topology, first, &now.nodes(0)),
                &side(topology, second, &now.nodes(1)),
                self.direction,
            ),
            None => around(
                topology,
                &now.nodes(0),
                self.from.unwrap_or(Others::All),
                self.direction,
                |_| true,
            ),
        };
        let condition = LinkCondition { quality: self.way().quality(), ..Default::default() };
        Conditions {
            links: links.into_iter().map(|link| (link, condition.clone())).collect(),
            ..Default::default()
        }
    }

    fn check(&self, topology: &Topology) -> Vec<Objection> {
        let mut wrong = vec![];
        let which = "Say which links with exactly one of `around`, `between`";
        match (&self.around, &self.between) {
            (None, None) => wrong.push(Objection::new("", "no links are named").help(which)),
            (Some(_), Some(_)) => {
                wrong.push(Objection::new("between", "links are named twice").help(which));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        if self.between.is_some() && self.from.is_some() {
            wrong.push(from_beside_between());
        }
        if self.way().quality().levers().is_empty() {
            wrong
                .push(Objection::new("", "nothing is degraded").help(
                    "Ask for `delay`, `jitter`, `loss`, `rate` or another of its parameters",
                ));
        }
        wrong.extend(self.mistakes(topology));
        wrong.extend(check_aims([("around", self.around.as_ref())], self.between.as_ref()));
        wrong
    }
}
