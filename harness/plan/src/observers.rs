//! Observers, and the cells that they live in.

use std::collections::{BTreeMap, BTreeSet};

use document::{Kind, Node, Part, Problem, Problems, Sp, Span, read_as};
use model::{
    CellId, FleetId, LinkQuality, ObserverId, RegionId, ServiceId,
    plan::{Fleet, Observer, Shows, read_back_of},
    topology::Cell,
};

use crate::{addresses::Cells, built::Built, catalogs::Catalogs, grammar, kinds, names};

/// Keys of an observer that are the engine's own.
const KEYS: &[&str] = &["name", "kind", "service", "region", "shows", "of_record", "fleets"];
/// Where a fleet's name stands in a cell's, the observers of a region have this.
pub(crate) const OBSERVERS: &str = "observers";
/// Addresses kept for the observers of a region.
const HOSTS: u32 = 16;

pub(crate) struct Builder<'a> {
    pub(crate) root: &'a Node,
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) built: &'a mut Built,
    pub(crate) cells: &'a mut Cells,
    pub(crate) problems: &'a mut Problems,
}

type Fleets = BTreeMap<FleetId, Fleet>;

fn sent_to<'a>(fleets: &'a Fleets, service: &'a ServiceId) -> impl Iterator<Item = &'a FleetId> {
    fleets.iter().filter(|(_, fleet)| fleet.service == *service).map(|(name, _)| name)
}

impl Builder<'_> {
    /// The observers of the file, or one of record per service that a fleet sends to. `hit` are words of the faults: a default
    /// observer stays away from them.
    pub(crate) fn build(
        &mut self,
        parts: Option<&Vec<Part>>,
        hit: &[&str],
        fleets: &Fleets,
    ) -> BTreeMap<ObserverId, Observer> {
        let mut observers = BTreeMap::new();
        match parts {
            Some(parts) => {
                for node in parts.iter().filter_map(|part| self.root.find(part.id)) {
                    if let Some((name, observer)) = self.observer(node, &observers, fleets) {
                        observers.insert(name, observer);
                    }
                }
            }
            None => {
                // Without any fleet the mistake is told elsewhere, and gates may still name the observers that were meant.
                let observed = |service: &&ServiceId| {
                    fleets.is_empty() || sent_to(fleets, service).next().is_some()
                };
                let services = self.built.services.keys().filter(observed);
                let services: Vec<ServiceId> = services.cloned().collect();
                for service in services {
                    observers.extend(self.of_record(&service, hit, fleets));
                }
            }
        }
        observers
    }

    fn observer(
        &mut self,
        node: &Node,
        before: &BTreeMap<ObserverId, Observer>,
        all: &Fleets,
    ) -> Option<(ObserverId, Observer)> {
        let others: Vec<&str> =
            kinds::other_keys(node, KEYS).iter().map(|(key, _)| key.text.as_str()).collect();
        let own = node.without(&[others.as_slice(), &["kind"]].concat());
        let raw = read_as::<grammar::Observer>(&own, self.problems)?;
        let name = raw.name.clone().or_else(|| {
            names::missing("this observer", "name", node.span, "log-us-east", self.problems);
            None
        });
        if let Some(name) = &name {
            names::declared("observer", name, self.problems);
            if !self.take(name) {
                return None;
            }
        }
        let service =
            self.built.service(raw.service.as_ref(), "observer", node.span, self.problems);
        let region = raw.region.as_ref().or_else(|| {
            names::missing(
                "this observer",
                "region",
                node.span,
                self.built.region_names().next().unwrap_or("us-east"),
                self.problems,
            );
            None
        });
        let region = region.filter(|region| {
            names::known("region", region, region.span, self.built.region_names(), self.problems)
        });
        // The kind reads whatever key is not ours before anything that is missing ends this: a misspelt key of ours is told there.
        let kind = match kinds::kind_of(node) {
            Some((name, span)) => {
                kinds::find(&self.catalogs.observers(), name, span, self.problems).copied()
            }
            None => service.as_ref().and_then(|service| self.default_kind(service, node.span)),
        };
        let params = node.without(&[KEYS].concat());
        let observer = kinds::params(&kind?, &params, KEYS, self.problems);
        let (region, service, observer) = (RegionId::from(region?.as_str()), service?, observer?);
        let shows = raw.shows.unwrap_or(Shows::Log);
        let first = !before.values().any(|other| other.service == service && other.of_record);
        let of_record = raw.of_record.unwrap_or(shows == Shows::Log && first);
        let fleets = match &raw.fleets {
            Some(named) => self.named_fleets(named, all),
            None => self.fleets_of(&service, node.span, all),
        };
        let cell = self.cell(&region, node.span)?;
        Some((
            name?.as_str().into(),
            Observer { service, observer, region, cell, shows, of_record, fleets },
        ))
    }

    /// An observer has two names: its own, and that of what it reads back in the end. Whether both were free.
    fn take(&mut self, name: &Sp<String>) -> bool {
        let own = ObserverId::from(name.as_str());
        let owner = format!("observer `{own}`");
        let mut take = |made: &ObserverId| {
            let owner = (owner.as_str(), name.span);
            self.built.taken.take("ledger", made.as_str(), owner, self.problems)
        };
        take(&own) && take(&read_back_of(&own))
    }

    fn named_fleets(&mut self, named: &[Sp<String>], all: &Fleets) -> BTreeSet<FleetId> {
        let known = || all.keys().map(FleetId::as_str);
        let mut fleets = BTreeSet::new();
        for fleet in named {
            if names::known("fleet", fleet, fleet.span, known(), self.problems) {
                fleets.insert(fleet.as_str().into());
            }
        }
        fleets
    }

    /// The fleets that send to the service. To one that no fleet sends to, readings come from another service of the stack: from the
    /// only one, or the file must say which.
    fn fleets_of(&mut self, service: &ServiceId, at: Span, all: &Fleets) -> BTreeSet<FleetId> {
        let sent: BTreeSet<FleetId> = sent_to(all, service).cloned().collect();
        let services: BTreeSet<&ServiceId> = all.values().map(|fleet| &fleet.service).collect();
        if !sent.is_empty() || services.is_empty() {
            return sent;
        }
        if services.len() > 1 {
            let wrong = format!(
                "no fleet sends to `{service}`, and several services could pass readings on to it"
            );
            let help = "Name the fleets whose readings arrive there, such as `fleets: [terminals]`";
            self.problems.push(
                Problem::new("missing", at, wrong).label("whose readings does it show?").help(help),
            );
        }
        all.keys().cloned().collect()
    }

    fn of_record(
        &mut self,
        service: &ServiceId,
        hit: &[&str],
        all: &Fleets,
    ) -> Option<(ObserverId, Observer)> {
        let regions = self.built.regions_of(service);
        let spared = regions.iter().find(|region| !hit.contains(&region.as_str()));
        let region = spared.or(regions.first())?.clone();
        let at = Span::default();
        let kind = self.default_kind(service, at)?;
        let empty = Node { id: 0, span: at, origin: None, kind: Kind::Map(vec![]) };
        let observer = kinds::params(&kind, &empty, KEYS, self.problems)?;
        let cell = self.cell(&region, at)?;
        let name = ObserverId::from(format!("{service}-record"));
        let fleets = sent_to(all, service).cloned().collect();
        Some((
            name,
            Observer {
                service: service.clone(),
                observer,
                region,
                cell,
                shows: Shows::Log,
                of_record: true,
                fleets,
            },
        ))
    }

    fn default_kind(&mut self, service: &ServiceId, at: Span) -> Option<crate::Known> {
        let kind = &self.built.services.get(service)?.kind;
        let system = self.catalogs.system_of(kind)?;
        let found = system.observers.find(kind).or(system.observers.kinds.first())?;
        let _ = at;
        Some(crate::Known::from(found))
    }

    /// The cell of a region's observers; made when the first one moves in.
    fn cell(&mut self, region: &RegionId, at: Span) -> Option<CellId> {
        let id = CellId::from(format!("{region}/{OBSERVERS}"));
        if !self.built.topology.cells.contains_key(&id) {
            let Some((base, prefix)) = self.cells.take(HOSTS) else {
                self.problems.push(
                    Problem::new("range", at, "no addresses are left for observers")
                        .label("too many assets"),
                );
                return None;
            };
            let cell = Cell {
                region: region.clone(),
                fleet: None,
                base,
                prefix,
                hosts: HOSTS,
                access: LinkQuality::default(),
                track: Default::default(),
            };
            self.built.topology.cells.insert(id.clone(), cell);
        }
        Some(id)
    }
}
