//! All nodes of a region at one instant. Assets of the region live on: they are elsewhere, and look for another region.

use model::{
    Conditions, NodeState, Topology,
    plan::{NodeTarget, Target},
};
use schemars::JsonSchema;
use seams::{Fault, Moment, Objection};
use serde::{Deserialize, Serialize};

use crate::links::{Direction, Others, around};

pub(crate) const EXAMPLE: &str = "{region: us-west, how: power}";

/// The loss of a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionLoss {
    pub region: String,
    #[serde(default)]
    pub how: Loss,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Its nodes lose power: silence, never a FIN, and they boot when the window closes.
    #[default]
    Power,
    /// Its nodes run on and reach each other, but nobody outside and no asset or observer, those of the region included.
    Network,
}

impl Fault for RegionLoss {
    fn targets(&self) -> Vec<Target> {
        vec![NodeTarget { region: Some(self.region.as_str().into()), ..Default::default() }.into()]
    }

    fn deed(&self) -> &'static str {
        "losing"
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let lost = now.nodes(0);
        let mut world = Conditions::default();
        match self.how {
            Loss::Power => {
                world.nodes.extend(lost.into_iter().map(|node| (node, NodeState::PowerLost.into())))
            }
            Loss::Network => {
                let links = around(now.topology, &lost, Others::All, Direction::Both, |_| true);
                links
                    .into_iter()
                    .for_each(|link| world.cut(link, model::Ports::All, model::CutForm::Drop));
            }
        }
        world
    }

    fn check(&self, topology: &Topology) -> Vec<Objection> {
        let outside = topology.nodes.values().any(|node| node.region.as_str() != self.region);
        let objection = || {
            Objection::new("region", format!("nothing is left outside of `{}`", self.region))
                .help("A drill needs a second region with nodes")
        };
        (!outside).then(objection).into_iter().collect()
    }
}
