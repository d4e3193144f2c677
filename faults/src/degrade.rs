//! Links get slow, lossy or narrow; nothing is cut. netem's names and meanings.
//!
//! Absent for now: duplicates, corruption, reordering, correlated loss, queues, MTU.

use model::{Chance, Conditions, Jitter, LinkCondition, LinkQuality, Shape, Topology, plan::Target};
use schemars::JsonSchema;
use seams::{
    Fault, Moment,
    document::units::{Bits, Share, Time},
};
use serde::{Deserialize, Serialize};

use crate::{
    links::{Direction, Others, around, between, side},
    target::Aim,
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
    pub delay: Time,
    /// Half the width of a uniform draw around the delay.
    #[serde(default)]
    pub jitter: Time,
    /// Chance of each packet to be lost, independent of the others.
    #[serde(default)]
    pub loss: Share,
    /// At most so much passes; the tighter of two rates holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Bits>,
}

impl Degrade {
    fn condition(&self) -> LinkCondition {
        let loss = if self.loss == Share(0) { vec![] } else { vec![Chance::from(self.loss)] };
        let jitter = Jitter { width: self.jitter.0, shape: Shape::Uniform, correlation: Chance(0) };
        let jitter = if jitter.width.is_zero() { vec![] } else { vec![jitter] };
        let quality = LinkQuality { delay: self.delay.0, jitter, loss, rate: self.rate.map(Into::into), ..Default::default() };
        LinkCondition { quality, ..Default::default() }
    }
}

impl Fault for Degrade {
    fn targets(&self) -> Vec<Target> {
        self.around.iter().chain(self.between.iter().flatten()).map(Aim::target).collect()
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let Moment { topology, picked, .. } = now;
        let links = match &self.between {
            Some([first, second]) => between(&side(topology, first, &picked[0]), &side(topology, second, &picked[1]), self.direction),
            None => around(topology, &picked[0], self.from.unwrap_or(Others::All), self.direction, |_| true),
        };
        let condition = self.condition();
        Conditions { links: links.into_iter().map(|link| (link, condition.clone())).collect(), ..Default::default() }
    }

    fn check(&self, _: &Topology) -> Vec<String> {
        let mut wrong = vec![];
        if self.around.is_some() == self.between.is_some() {
            wrong.push("say which links with exactly one of `around`, `between`".to_owned());
        }
        if self.between.is_some() && self.from.is_some() {
            wrong.push("`between` names both sides; leave `from` out".to_owned());
        }
        if self.condition().levers().is_empty() {
            wrong.push("nothing is degraded; ask for `delay`, `jitter`, `loss` or `rate`".to_owned());
        }
        wrong.extend(self.around.iter().chain(self.between.iter().flatten()).flat_map(Aim::check_target));
        wrong
    }
}
