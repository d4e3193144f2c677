//! Where the parts of a plan are written.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FleetId, RegionId, ServiceId, WindowId, topology::pairs};

/// Where those parts of a plan are written that a lab or a machine may be unable to do. A part that no file names is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub windows: BTreeMap<WindowId, Line>,
    /// Each direction of each pair of `links`.
    #[serde(with = "pairs")]
    pub links: BTreeMap<(RegionId, RegionId), Line>,
    /// The `access` of each fleet that has one.
    pub access: BTreeMap<FleetId, Line>,
    #[serde(default)]
    pub fleets: BTreeMap<FleetId, Line>,
    #[serde(default)]
    pub services: BTreeMap<ServiceId, Line>,
    /// In no order that matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<WrittenSecret>,
}

/// A secret that the parameters of a kind name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenSecret {
    pub at: Line,
    /// Where it is, in the stored form of a parameter; never what it is.
    pub secret: Value,
}

/// A place in a file of the scenario, line and column from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    pub file: String,
    pub line: u32,
    /// In characters.
    pub column: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}
