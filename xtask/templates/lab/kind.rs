//! The lab as a kind: its line of the catalog, and the way in.

use std::{future::pending, sync::Arc};

use schemars::JsonSchema;
use seams::{Body, Ended, Entered, Kind, LabError, LabKind, LabSetup, MakeLab};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Builder, task::LocalSet};

use crate::lab::TYPELab;

/// The line of this lab in a catalog.
pub const LAB: Kind<MakeLab> =
    Kind::new::<TYPE>("NAME", "Say where the stack runs.", "{}", &Entry);

/// What a scenario may say of the lab.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TYPE {}

struct Entry;

impl LabKind for Entry {
    /// In the caller's own process.
    fn enter(&self, setup: LabSetup, body: Body<'_>) -> Result<Ended, LabError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let lab = Arc::new(TYPELab::new(setup.topology));
        let entered = Entered { lab, interrupt: Box::pin(pending()) };
        let inside = LocalSet::new();
        Ok(Ended::Returned(inside.block_on(&runtime, async { body(Ok(entered)).await })))
    }
}
