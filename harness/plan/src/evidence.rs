//! Questions that only a living service can answer: its shards and its timers. Nothing is started for them.

use std::{collections::BTreeMap, sync::Arc};

use model::{KindSpec, ServiceId, Topology};
use seams::{Service, Site};

use crate::{catalogs::Catalogs, stack::Running};

/// The service object of a service that was read without mistakes.
pub(crate) fn living(
    catalogs: &Catalogs,
    service: &ServiceId,
    services: &BTreeMap<ServiceId, Running>,
    topology: &Topology,
) -> Option<Arc<dyn Service>> {
    made(catalogs, service, services.get(service)?.spec.as_ref()?, topology)
}

/// The service object of a spec.
pub(crate) fn made(
    catalogs: &Catalogs,
    service: &ServiceId,
    spec: &KindSpec,
    topology: &Topology,
) -> Option<Arc<dyn Service>> {
    let kind = catalogs.system_of(&spec.kind)?.services.find(&spec.kind)?;
    let site =
        Site { service: service.clone(), topology: Arc::new(topology.clone()), run: 0, seed: 0 };
    (kind.make)(&spec.params, &site).ok()
}
