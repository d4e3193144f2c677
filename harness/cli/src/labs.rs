//! The labs of this build, one line each.

use schemars::JsonSchema;
use seams::{Catalog, Kind};
use serde::{Deserialize, Serialize};

/// Which way a plan is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In memory, on a paused clock.
    Pretend,
    /// In namespaces of this machine.
    Local,
}

/// The lab in memory has nothing to choose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) static CATALOG: Catalog<Place> = Catalog {
    noun: "lab",
    kinds: &[
        Kind::new::<local::Local>(
            "local",
            "Real servers on this machine, each in namespaces of its own, joined by the userspace fabric; needs no root.",
            "{engine: auto}",
            Place::Local,
        ),
        Kind::new::<Nothing>(
            "pretend",
            "A model in memory on a paused clock: minutes pass in milliseconds, and every report says that it was simulated.",
            "{}",
            Place::Pretend,
        ),
    ],
};
