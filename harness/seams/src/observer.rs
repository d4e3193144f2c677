//! Reads back what became visible, and where.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use model::{CellId, Micros, RegionId, ShardId, Sighting, plan::Shows};

use crate::{Clock, Network, Origin, SystemError};

/// Where an observer's sightings go.
pub trait SightingSink: Send + Sync {
    fn saw(&self, sighting: Sighting);
    /// Everything of the shard up to and including this position has been shown.
    fn passed(&self, shard: &ShardId, position: u64);
    /// Nothing could be seen in this span: the observer's trouble, not the platform's.
    fn blind(&self, from: Micros, to: Micros);
}

/// Where an observer lives. Partitions bite it there.
#[derive(Clone, Debug)]
pub struct Vantage {
    pub origin: Origin,
    pub region: RegionId,
    pub cell: CellId,
    pub shows: Shows,
    pub clock: Clock,
}

#[async_trait]
pub trait Observer: fmt::Debug + Send + Sync {
    /// Watches until it is dropped; reconnects by itself and reports blind spans. It returns only when it can never go on.
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError;

    /// The end that the system itself names, per shard, by the normal path.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError>;

    /// Reads everything once, after heal, by the normal path of this observer's region, and returns the last position read per shard.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError>;
}
