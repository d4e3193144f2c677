//! How what became visible is read back: not at all yet.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use model::ShardId;
use schemars::JsonSchema;
use seams::{SightingSink, Network, Observer, Vantage, Site, SystemError};
use serde::{Deserialize, Serialize};

use crate::not_yet;

/// What a scenario may say of the reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TYPEObserver {}

impl TYPEObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        let Self {} = self;
        Arc::new(Reader { site: site.clone() })
    }
}

#[derive(Debug)]
struct Reader {
    site: Site,
}

#[async_trait]
impl Observer for Reader {
    async fn watch(&self, _: Arc<dyn Network>, vantage: Vantage, _: Arc<dyn SightingSink>) -> SystemError {
        not_yet(format!("watch {} from {}", self.site.service, vantage.region))
    }

    async fn head(
        &self,
        _: Arc<dyn Network>,
        _: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        Err(not_yet(format!("ask {} for its end", self.site.service)))
    }

    async fn read_back(
        &self,
        _: Arc<dyn Network>,
        _: &Vantage,
        _: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        Err(not_yet(format!("read {} back", self.site.service)))
    }
}
