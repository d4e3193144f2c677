//! Questions that only a service itself can answer: its shards, roles and timers. Nothing is started for them.

use std::{collections::BTreeMap, sync::Arc};

use model::{KindSpec, ServiceId, Topology};
use seams::{Layout, Site};

use crate::{
    built::{Built, Running},
    catalogs::Catalogs,
};

/// Layouts by the names of their services.
pub(crate) type Layouts = BTreeMap<ServiceId, Arc<dyn Layout>>;

/// The layouts of all services that were read without mistakes.
pub(crate) fn layouts(
    catalogs: &Catalogs,
    services: &BTreeMap<ServiceId, Running>,
    topology: &Topology,
) -> Layouts {
    let topology = Arc::new(topology.clone());
    let made = services.iter().filter_map(|(name, running)| {
        let layout = made(catalogs, name, running.spec.as_ref()?, topology.clone())?;
        Some((name.clone(), layout))
    });
    made.collect()
}

/// The layout of a spec.
pub(crate) fn layout_of(
    catalogs: &Catalogs,
    service: &ServiceId,
    spec: &KindSpec,
    topology: &Topology,
) -> Option<Arc<dyn Layout>> {
    made(catalogs, service, spec, Arc::new(topology.clone()))
}

fn made(
    catalogs: &Catalogs,
    service: &ServiceId,
    spec: &KindSpec,
    topology: Arc<Topology>,
) -> Option<Arc<dyn Layout>> {
    let kind = catalogs.system_of(&spec.kind)?.services.find(&spec.kind)?;
    let site =
        Site { service: service.clone(), topology, run: 0, seed: 0, keyring: Default::default() };
    Some((kind.make)(&spec.params, &site).ok()?)
}

/// The roles that a service declares, or every service of the stack; None where one of them is not there or could not be read.
pub(crate) fn roles(
    layouts: &Layouts,
    service: Option<&ServiceId>,
    built: &Built,
) -> Option<Vec<&'static str>> {
    let meant: Vec<&ServiceId> = match service {
        Some(named) => vec![named],
        None => built.services.keys().collect(),
    };
    let layouts = meant.into_iter().map(|name| layouts.get(name));
    let mut roles = vec![];
    for role in layouts.collect::<Option<Vec<_>>>()?.iter().flat_map(|layout| layout.roles()) {
        if !roles.contains(&role.name) {
            roles.push(role.name);
        }
    }
    Some(roles)
}
