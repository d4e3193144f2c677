//! A plan's kinds brought to life through the catalogs. `judge` and `report` need none of this.

use std::{collections::BTreeMap, fmt, sync::Arc};

use model::{FleetId, KindSpec, ObserverId, Plan, ServiceId, plan::Window};
use seams::{
    Catalog, Driver, Fault, Observer, Service, Site,
    catalog::{MakeFault, System},
    secure::{Keyring, SecretError},
};

/// The kinds of a build that a plan may name.
#[derive(Clone, Copy, Debug)]
pub struct Kinds<'a> {
    pub systems: &'a [&'static System],
    pub faults: &'static Catalog<MakeFault>,
}

/// Everything of a plan that acts.
pub struct Cast {
    pub services: BTreeMap<ServiceId, Arc<dyn Service>>,
    pub drivers: BTreeMap<FleetId, Arc<dyn Driver>>,
    pub observers: BTreeMap<ObserverId, Arc<dyn Observer>>,
    /// In the order of the plan.
    pub windows: Vec<(Window, Box<dyn Fault>)>,
}

impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cast")
            .field("services", &self.services)
            .field("windows", &self.windows)
            .finish_non_exhaustive()
    }
}

/// A stored plan names something that this build does not have, or cannot read.
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    #[error("find the {noun} kind `{kind}` in this build; `wetdress list` shows what it has")]
    Unknown { noun: &'static str, kind: String },
    #[error("secure the service `{service}`")]
    Secret { service: ServiceId, source: SecretError },
    #[error("read the parameters of the {noun} kind `{kind}`")]
    Params { noun: &'static str, kind: String, source: serde_json::Error },
}

impl Cast {
    /// `run` is the run's number, part of every envelope.
    ///
    /// # Errors
    /// The plan was stored by another build: it names a kind that `kinds` does not have, or has parameters that the kind does not read. Or
    /// a password of a service cannot be read.
    pub fn new(plan: &Plan, kinds: Kinds<'_>, run: u64) -> Result<Self, CastError> {
        let topology = Arc::new(plan.topology.clone());
        let keyring = Keyring::default();
        let site = |service: &ServiceId| Site {
            service: service.clone(),
            topology: topology.clone(),
            run,
            seed: plan.seed,
            keyring: keyring.clone(),
        };
        let mut cast = Self {
            services: BTreeMap::new(),
            drivers: BTreeMap::new(),
            observers: BTreeMap::new(),
            windows: vec![],
        };
        for (name, spec) in &plan.services {
            let make = kinds.of_some_system("service", spec, |system| {
                Some(system.services.find(&spec.kind)?.make)
            })?;
            let service = read("service", spec, make(&spec.params, &site(name)))?;
            if let Some(secured) = service.secured() {
                let failed = |source| CastError::Secret { service: name.clone(), source };
                keyring.secure(name, secured).map_err(failed)?;
            }
            cast.services.insert(name.clone(), service);
        }
        for (name, fleet) in &plan.fleets {
            let spec = &fleet.driver;
            let make = kinds.of_some_system("driver", spec, |system| {
                Some(system.drivers.find(&spec.kind)?.make)
            })?;
            cast.drivers.insert(
                name.clone(),
                read("driver", spec, make(&spec.params, &site(&fleet.service)))?,
            );
        }
        for (name, observer) in &plan.observers {
            let spec = &observer.observer;
            let make = kinds.of_some_system("observer", spec, |system| {
                Some(system.observers.find(&spec.kind)?.make)
            })?;
            cast.observers.insert(
                name.clone(),
                read("observer", spec, make(&spec.params, &site(&observer.service)))?,
            );
        }
        for window in &plan.windows {
            let spec = &window.fault;
            let kind = kinds
                .faults
                .find(&spec.kind)
                .ok_or_else(|| CastError::Unknown { noun: "fault", kind: spec.kind.clone() })?;
            cast.windows.push((window.clone(), read("fault", spec, (kind.make)(&spec.params))?));
        }
        Ok(cast)
    }
}

impl Kinds<'_> {
    fn of_some_system<M>(
        &self,
        noun: &'static str,
        spec: &KindSpec,
        find: impl Fn(&'static System) -> Option<M>,
    ) -> Result<M, CastError> {
        self.systems
            .iter()
            .find_map(|system| find(system))
            .ok_or_else(|| CastError::Unknown { noun, kind: spec.kind.clone() })
    }
}

fn read<T>(
    noun: &'static str,
    spec: &KindSpec,
    made: Result<T, serde_json::Error>,
) -> Result<T, CastError> {
    made.map_err(|source| CastError::Params { noun, kind: spec.kind.clone(), source })
}
