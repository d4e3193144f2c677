//! The stack as far as it was read.

use std::{collections::BTreeMap, time::Duration};

use document::{Problems, Sp, Span};
use model::{KindSpec, RegionId, ServiceId, Topology, Track};

use crate::{
    bounds,
    names::{self, Taken},
};

/// What the other sections need to know of the stack.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) lab: Option<KindSpec>,
    /// Without cells: those come with fleets and observers.
    pub(crate) topology: Topology,
    /// A service without a spec was read with mistakes; its name is known all the same.
    pub(crate) services: BTreeMap<ServiceId, Running>,
    /// Names that were made of others.
    pub(crate) taken: Taken,
    /// Slots of all ways so far.
    pub(crate) slots: usize,
    /// The longest clock of any way, access links included.
    pub(crate) clock: Option<Duration>,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) kind: String,
    pub(crate) spec: Option<KindSpec>,
}

impl Built {
    /// Counts the slots of a way. Whether they fit; the first that do not are told.
    pub(crate) fn has_room(&mut self, track: &Track, at: Span, problems: &mut Problems) -> bool {
        let before = self.slots;
        self.slots += track.slots.len();
        let fits = self.slots <= bounds::SLOTS_MAX;
        if !fits && before <= bounds::SLOTS_MAX {
            let what = "slots of ways that change by the clock";
            bounds::within(what, self.slots, bounds::SLOTS_MAX, at, problems);
        }
        fits
    }

    pub(crate) fn region_names(&self) -> impl Iterator<Item = &str> {
        self.topology.regions.keys().map(RegionId::as_str)
    }

    pub(crate) fn service_names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(ServiceId::as_str)
    }

    /// The only service, or the one that is named; tells the mistake otherwise.
    pub(crate) fn service(
        &self,
        named: Option<&Sp<String>>,
        what: &str,
        owner: Span,
        problems: &mut Problems,
    ) -> Option<ServiceId> {
        match named {
            Some(name) => names::known("service", name, name.span, self.service_names(), problems)
                .then(|| ServiceId::from(name.as_str())),
            None if self.services.len() == 1 => self.services.keys().next().cloned(),
            None if self.services.is_empty() => None,
            None => {
                names::missing(
                    what,
                    "service",
                    owner,
                    self.service_names().next().unwrap_or("name"),
                    problems,
                );
                None
            }
        }
    }

    /// Regions that have nodes of a service.
    pub(crate) fn regions_of(&self, service: &ServiceId) -> Vec<RegionId> {
        let has = |region: &&RegionId| {
            self.topology
                .nodes_in(region)
                .any(|node| self.topology.nodes[node].services.contains(service))
        };
        self.topology.regions.keys().filter(has).cloned().collect()
    }
}
