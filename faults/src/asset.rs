//! Assets hang up or fall silent, all of a cell at once: a mass disconnect, a lost signal, and what comes back when it ends.
//!
//! Absent on purpose: silence that is planned. That is the link's own (`access`), and moves the moment at which a reading is ready;
//! here it stays where it was, and whoever waits is out.

use model::{
    Conditions, FleetCondition, FleetState, Topology,
    plan::{CellTarget, Target},
};
use schemars::JsonSchema;
use seams::{Fault, Moment, Objection};
use serde::{Deserialize, Serialize};

pub(crate) const EXAMPLE: &str = "{region: us-west, how: silence}";

/// What assets do by themselves; the stack and its links are well. At least one of `region` and `fleet` says whose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Only assets whose home is in this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only assets of this fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// What they do.
    #[serde(default)]
    pub how: Absence,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Signal lost: from one moment to the next nothing is sent, and nobody is told.
    #[default]
    Silence,
    /// Each asset closes its connection, and stays away until the window closes.
    Disconnect,
}

impl Fault for Asset {
    fn targets(&self) -> Vec<Target> {
        let region = self.region.as_deref().map(Into::into);
        let fleet = self.fleet.as_deref().map(Into::into);
        vec![CellTarget { region, fleet }.into()]
    }

    fn deed(&self) -> &'static str {
        match self.how {
            Absence::Silence => "silencing",
            Absence::Disconnect => "disconnecting",
        }
    }

    fn at(&self, now: &Moment<'_>) -> Conditions {
        let state = match self.how {
            Absence::Silence => FleetState::Silent,
            Absence::Disconnect => FleetState::Disconnected,
        };
        let all = now.cells(0).into_iter().map(|cell| (cell, FleetCondition { state }));
        Conditions { fleets: all.collect(), ..Conditions::default() }
    }

    fn check(&self, _: &Topology) -> Vec<Objection> {
        let nobody = self.region.is_none() && self.fleet.is_none();
        let objection = || {
            Objection::new("", "nobody is named")
                .help("Say whose assets, with `region`, `fleet` or both")
        };
        nobody.then(objection).into_iter().collect()
    }
}
