//! Servers that must be installed: told of a plan before anything starts, and of every system by `doctor`.

use std::{collections::BTreeMap, sync::Arc};

use document::{Ids, Problems, SourceId};
use drill::{Cast, Kinds};
use model::{Plan, ServiceId, Topology};
use seams::{
    Service, Site,
    catalog::{Kind, MakeService},
    servers::Requirement,
};

use crate::{catalogs::SYSTEMS, console, exit::Exit, labs};

/// # Errors
/// A server that the plan would start is missing, or of a version that was not seen to work; that is told, and this is the exit code.
pub(crate) fn are_installed(plan: &Plan) -> Result<(), Exit> {
    match &missing(plan)[..] {
        [] => Ok(()),
        lines => {
            Err(refused("the scenario needs", lines, "`wetdress doctor` tells what is installed"))
        }
    }
}

/// Tells that nothing was started, and what to do; this is the exit code.
pub(crate) fn refused(who_needs: &str, lacking: &[String], remedy: &str) -> Exit {
    console::error(&format!(
        "servers that {who_needs} are not here:\n  {}\nNothing was started; {remedy}",
        lacking.join("\n  ")
    ));
    Exit::NotUp
}

/// A line for each service that lacks something, with its place.
pub(crate) fn missing(plan: &Plan) -> Vec<String> {
    let lacks =
        of_plan(plan).into_iter().filter_map(|(name, need)| Some((name, need.find().err()?)));
    let told = lacks.map(|(name, why)| {
        let place = plan.source.written.services.get(&name);
        let place = place.map_or(String::new(), |line| format!("{line}: "));
        format!("{place}service `{name}`: {why}")
    });
    told.collect()
}

/// What each service of a plan needs; nothing where the lab does not start its processes.
pub(crate) fn of_plan(plan: &Plan) -> Vec<(ServiceId, Requirement)> {
    if !labs::CATALOG.find(&plan.lab.kind).is_some_and(|lab| lab.make.owns_processes()) {
        return vec![];
    }
    let kinds = Kinds { systems: SYSTEMS, faults: &faults::CATALOG };
    // A plan that names what this build does not have is refused with that reason, where it is brought to life.
    let Ok(cast) = Cast::new(plan, kinds, 0) else { return vec![] };
    let needs = |(name, service): (&ServiceId, &Arc<dyn Service>)| {
        let name = name.clone();
        service.requirements().into_iter().map(move |need| (name.clone(), need))
    };
    cast.services.iter().flat_map(needs).collect()
}

/// What the services of this build need, by system, each once.
pub(crate) fn of_every_system() -> BTreeMap<&'static str, Vec<Requirement>> {
    let of_system = |system: &&'static seams::catalog::System| {
        let mut all: Vec<_> = system.services.kinds.iter().flat_map(of_example).collect();
        all.dedup();
        (system.name, all)
    };
    SYSTEMS.iter().map(of_system).filter(|(_, needs)| !needs.is_empty()).collect()
}

/// What a service needs that is written as its kind's example.
fn of_example(kind: &Kind<MakeService>) -> Vec<Requirement> {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let site = Site {
        service: "example".into(),
        topology: Arc::new(Topology::default()),
        run: 0,
        seed: 0,
        keyring: Default::default(),
    };
    let made = document::parse(kind.example, SourceId(0), &mut ids, &mut problems)
        .and_then(|node| (kind.read)(&node, &mut problems))
        .and_then(|params| (kind.make)(&params, &site).ok());
    made.map_or(vec![], |service| service.requirements())
}
