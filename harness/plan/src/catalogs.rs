//! The kinds that a scenario may name, handed in by whoever knows all rooms.

use document::{Node, Problems};
use model::KindSpec;
use schemars::Schema;
use seams::{
    Catalog, Kind,
    catalog::{MakeFault, System},
    gate::Rests,
};
use serde_json::Value;

/// Every catalog of this build.
#[derive(Debug)]
pub struct Catalogs {
    pub labs: Family,
    pub faults: &'static Catalog<MakeFault>,
    pub systems: Vec<&'static System>,
    pub gates: Family,
    /// What a gate of the plan rests on; None for a kind that is not among `gates`.
    pub rests_on: fn(&KindSpec) -> Option<Rests>,
    /// Gates that every drill has unless it gives one of the same kind: kind and parameters.
    pub default_gates: Vec<(&'static str, Value)>,
    /// A scenario that names none gets all of them.
    pub reports: Family,
}

/// A catalog without the way its kinds come to life: what `plan` needs of labs, gates and reports.
#[derive(Clone, Debug)]
pub struct Family {
    /// What its kinds are called in messages, such as `gate`.
    pub noun: &'static str,
    pub kinds: Vec<Known>,
}

/// One kind of a [`Family`].
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
    pub schema: fn() -> Schema,
    pub read: fn(&Node, &mut Problems) -> Option<Value>,
}

impl<M> From<&Kind<M>> for Known {
    fn from(kind: &Kind<M>) -> Self {
        let Kind { name, about, example, schema, read, .. } = *kind;
        Self { name, about, example, schema, read }
    }
}

impl<M> From<&Catalog<M>> for Family {
    fn from(catalog: &Catalog<M>) -> Self {
        Self { noun: catalog.noun, kinds: catalog.kinds.iter().map(Known::from).collect() }
    }
}

impl Family {
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|kind| kind.name)
    }
}

impl Catalogs {
    /// Every service kind, whichever system it is of.
    pub fn services(&self) -> Family {
        self.joined("service", |system| Family::from(&system.services))
    }

    pub fn drivers(&self) -> Family {
        self.joined("driver", |system| Family::from(&system.drivers))
    }

    pub fn observers(&self) -> Family {
        self.joined("observer", |system| Family::from(&system.observers))
    }

    /// Every family, in the order of a scenario.
    pub fn families(&self) -> Vec<Family> {
        let faults = Family::from(self.faults);
        let (labs, profiles) = (self.labs.clone(), crate::tracks::family());
        vec![
            labs,
            self.services(),
            self.drivers(),
            self.observers(),
            profiles,
            faults,
            self.gates.clone(),
            self.reports.clone(),
        ]
    }

    /// The system that a service kind belongs to.
    pub fn system_of(&self, service_kind: &str) -> Option<&'static System> {
        self.systems.iter().copied().find(|system| system.services.find(service_kind).is_some())
    }

    fn joined(&self, noun: &'static str, of: impl Fn(&System) -> Family) -> Family {
        Family { noun, kinds: self.systems.iter().flat_map(|system| of(system).kinds).collect() }
    }
}
