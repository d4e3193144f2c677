//! A plan's kinds brought to life through the catalogs. `judge` and `report` need none of this.

use std::{collections::BTreeMap, sync::Arc};

use model::{FleetId, KindSpec, ObserverId, Plan, ServiceId, plan::Window};
use seams::{Driver, Fault, Observer, Service, Site, catalog::System};

use crate::catalogs::SYSTEMS;

/// Everything of a plan that acts.
pub(crate) struct Cast {
    pub(crate) services: BTreeMap<ServiceId, Arc<dyn Service>>,
    pub(crate) drivers: BTreeMap<FleetId, Arc<dyn Driver>>,
    pub(crate) observers: BTreeMap<ObserverId, Arc<dyn Observer>>,
    /// In the order of the plan.
    pub(crate) windows: Vec<(Window, Box<dyn Fault>)>,
}

/// A stored plan names something that this build does not have, or cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CastError {
    #[error("find the {noun} kind `{kind}` in this build; `wetdress list` shows what it has")]
    Unknown { noun: &'static str, kind: String },
    #[error("read the parameters of the {noun} kind `{kind}`")]
    Params { noun: &'static str, kind: String, source: serde_json::Error },
}

impl Cast {
    /// `site` makes the surroundings of a service; labs that bring their own systems put what those share into it.
    pub(crate) fn new(plan: &Plan, site: impl Fn(&ServiceId) -> Site) -> Result<Self, CastError> {
        let mut cast = Self {
            services: BTreeMap::new(),
            drivers: BTreeMap::new(),
            observers: BTreeMap::new(),
            windows: vec![],
        };
        for (name, spec) in &plan.services {
            let make = of_some_system("service", spec, |system| {
                Some(system.services.find(&spec.kind)?.make)
            })?;
            cast.services
                .insert(name.clone(), read("service", spec, make(&spec.params, &site(name)))?);
        }
        for (name, fleet) in &plan.fleets {
            let spec = &fleet.driver;
            let make = of_some_system("driver", spec, |system| {
                Some(system.drivers.find(&spec.kind)?.make)
            })?;
            cast.drivers.insert(
                name.clone(),
                read("driver", spec, make(&spec.params, &site(&fleet.service)))?,
            );
        }
        for (name, observer) in &plan.observers {
            let spec = &observer.observer;
            let make = of_some_system("observer", spec, |system| {
                Some(system.observers.find(&spec.kind)?.make)
            })?;
            cast.observers.insert(
                name.clone(),
                read("observer", spec, make(&spec.params, &site(&observer.service)))?,
            );
        }
        for window in &plan.windows {
            let spec = &window.fault;
            let kind = faults::CATALOG
                .find(&spec.kind)
                .ok_or_else(|| CastError::Unknown { noun: "fault", kind: spec.kind.clone() })?;
            cast.windows.push((window.clone(), read("fault", spec, (kind.make)(&spec.params))?));
        }
        Ok(cast)
    }
}

fn of_some_system<M>(
    noun: &'static str,
    spec: &KindSpec,
    find: impl Fn(&'static System) -> Option<M>,
) -> Result<M, CastError> {
    SYSTEMS
        .iter()
        .find_map(|system| find(system))
        .ok_or_else(|| CastError::Unknown { noun, kind: spec.kind.clone() })
}

fn read<T>(
    noun: &'static str,
    spec: &KindSpec,
    made: Result<T, serde_json::Error>,
) -> Result<T, CastError> {
    made.map_err(|source| CastError::Params { noun, kind: spec.kind.clone(), source })
}
