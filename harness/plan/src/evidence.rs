//! Questions that only a service itself can answer: its shards, roles and timers. Nothing is started for them.

use std::{collections::BTreeMap, sync::Arc};

use model::{KindSpec, ServiceId, Topology};
use seams::{Layout, Site};

use crate::{catalogs::Catalogs, stack::Running};

/// The layout of a service that was read without mistakes.
pub(crate) fn layout(
    catalogs: &Catalogs,
    service: &ServiceId,
    services: &BTreeMap<ServiceId, Running>,
    topology: &Topology,
) -> Option<Arc<dyn Layout>> {
    layout_of(catalogs, service, services.get(service)?.spec.as_ref()?, topology)
}

/// The layout of a spec.
pub(crate) fn layout_of(
    catalogs: &Catalogs,
    service: &ServiceId,
    spec: &KindSpec,
    topology: &Topology,
) -> Option<Arc<dyn Layout>> {
    let kind = catalogs.system_of(&spec.kind)?.services.find(&spec.kind)?;
    let site =
        Site { service: service.clone(), topology: Arc::new(topology.clone()), run: 0, seed: 0 };
    Some((kind.make)(&spec.params, &site).ok()?)
}
