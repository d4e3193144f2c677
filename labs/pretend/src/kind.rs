//! The lab as a kind: its line of the catalog, and the paused clock that it is played on.

use std::{future::pending, sync::Arc};

use schemars::JsonSchema;
use seams::{Body, Ended, Entered, Kind, LabError, LabKind, LabSetup, MakeLab};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Builder, task::LocalSet};

use crate::Pretend;

/// The line of this lab in a catalog.
pub const LAB: Kind<MakeLab> = Kind::new::<Nothing>(
    "pretend",
    "A model in memory on a paused clock: minutes pass in milliseconds, and every report says that it was simulated.",
    "{}",
    &InMemory,
);

/// The lab in memory has nothing to choose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

struct InMemory;

impl LabKind for InMemory {
    fn simulated(&self) -> bool {
        true
    }

    /// On the caller's own thread. There is nobody outside who could ask for an end.
    fn enter(&self, setup: LabSetup, body: Body<'_>) -> Result<Ended, LabError> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let lab = Arc::new(Pretend::new(setup.topology, setup.seed));
        let entered = Entered { lab, interrupt: Box::pin(pending()) };
        let inside = LocalSet::new();
        Ok(Ended::Returned(inside.block_on(&runtime, async { body(Ok(entered)).await })))
    }
}
