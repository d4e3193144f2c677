//! Questions that only a service itself can answer: its shards, roles and timers. Nothing is started for them.

use std::{collections::BTreeMap, sync::Arc};

use document::{Node, Problem, Problems};
use model::{KindSpec, ServiceId, Topology};
use seams::{Layout, Objection, Site};

use crate::{
    built::{Built, Running},
    catalogs::Catalogs,
    places,
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

/// Tells what the services themselves find wrong with their parameters, where each of them is written.
pub(crate) fn check(layouts: &Layouts, root: &Node, problems: &mut Problems) {
    for (name, layout) in layouts {
        let written = root.at("stack").and_then(|stack| stack.at("services"));
        let params = written.and_then(|services| services.at(name.as_str())).unwrap_or(root);
        for Objection { key, message, help } in layout.check() {
            let place = places::of(params, &key).unwrap_or(params.span);
            problems.push(Problem { help, ..Problem::new("logic", place, message) });
        }
    }
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
    let site = Site { service: service.clone(), topology, run: 0, seed: 0 };
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
