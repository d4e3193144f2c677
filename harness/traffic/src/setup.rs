//! What traffic needs to know, and why it may not begin.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use model::{FleetId, Plan};
use run::{Folder, RunError};
use seams::{Driver, Network};

/// What traffic needs to know.
#[derive(Clone, Debug)]
pub struct Setup {
    pub plan: Arc<Plan>,
    /// Number of the run, part of every envelope.
    pub run: u64,
    pub network: Arc<dyn Network>,
    /// One per fleet.
    pub drivers: BTreeMap<FleetId, Arc<dyn Driver>>,
    pub folder: Folder,
    /// How many threads send; whatever their number, they send the same.
    pub senders: NonZeroU32,
}

#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("start fleet {0}: it has no driver")]
    NoDriver(FleetId),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("start a thread of the traffic: {0}")]
    Thread(#[from] std::io::Error),
}
