//! What a fault can reach: its nodes, levers and assets, with every node that its targets could mean.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    CellId, Conditions, End, FleetId, NodeId, Plan, RegionId, ServiceId, Severs, Topology,
    plan::{Target, Window},
    topology::Cell,
};
use seams::{Moment, RoleName};
use serde::Serialize;

use crate::{catalogs::Catalogs, services};

/// The reach of one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlastRadius {
    /// Nodes that it hits at once, of all nodes.
    pub nodes_hit: usize,
    pub nodes: usize,
    /// Assets that it hits themselves.
    pub assets_hit: u32,
    /// Per service: nodes hit at most, and how many it has.
    pub services: BTreeMap<ServiceId, (usize, usize)>,
    pub regions: BTreeSet<RegionId>,
    /// What the lab must be able to do.
    pub levers: BTreeSet<model::Lever>,
    /// Whether some service keeps no majority of its nodes.
    pub quorum_at_risk: bool,
}

/// Everything that a window may hit.
pub(crate) struct Reach {
    nodes: BTreeSet<NodeId>,
    /// How many of the nodes at once.
    most: usize,
    cells: BTreeSet<CellId>,
    services: BTreeSet<ServiceId>,
}

/// None when the fault cannot be made from its parameters: a plan of another build.
pub(crate) fn reach(window: &Window, plan: &Plan, catalogs: &Catalogs) -> Option<Reach> {
    let fault = (catalogs.faults.find(&window.fault.kind)?.make)(&window.fault.params).ok()?;
    let (mut nodes, mut cells): (BTreeSet<NodeId>, BTreeSet<CellId>) = Default::default();
    let mut most = 0;
    for target in &fault.targets() {
        if target.nodes().is_some() {
            most += most_hit(target, plan, catalogs);
        }
        for end in target.fitting(&plan.topology) {
            match end {
                End::Node(name) => {
                    nodes.insert(name);
                }
                End::Cell(name) => {
                    cells.insert(name);
                }
            }
        }
    }
    let of_node = |name| plan.topology.nodes.get(name).map(|node| &node.services);
    let services = nodes.iter().filter_map(of_node).flatten().cloned().collect();
    let most = most.min(nodes.len());
    Some(Reach { nodes, most, cells, services })
}

impl Reach {
    /// Whether the assets of a fleet that live there may be hit: themselves, or a service in which their readings lie.
    pub(crate) fn touches(&self, plan: &Plan, fleet: &FleetId, home: &RegionId) -> bool {
        let cell = plan.fleets.get(fleet).and_then(|fleet| fleet.cells.get(home));
        cell.is_some_and(|cell| self.cells.contains(cell))
            || plan.services_of(fleet).into_iter().any(|service| self.takes(plan, service))
    }

    /// Whether a service, or one that it needs, may be hit.
    fn takes(&self, plan: &Plan, service: &ServiceId) -> bool {
        let needs = plan.topology.services.get(service).map(|service| &service.needs);
        self.services.contains(service)
            || needs.into_iter().flatten().any(|need| self.takes(plan, need))
    }
}

/// None where [`reach`] is.
pub(crate) fn of(window: &Window, plan: &Plan, catalogs: &Catalogs) -> Option<BlastRadius> {
    let Reach { nodes, most, cells, services: reached } = reach(window, plan, catalogs)?;
    let mut services = BTreeMap::new();
    for service in reached {
        let all = plan.topology.nodes_of(&service).count();
        let hit = plan.topology.nodes_of(&service).filter(|node| nodes.contains(*node)).count();
        services.insert(service, (hit.min(most), all));
    }
    let of_nodes = nodes.iter().map(|node| &plan.topology.nodes[node].region);
    let of_cells = cells.iter().map(|cell| &plan.topology.cells[cell].region);
    let regions = of_nodes.chain(of_cells).cloned().collect();
    // Probes are no assets.
    let assets = |cell: &Cell| {
        let fleet = cell.fleet.as_ref().and_then(|fleet| plan.fleets.get(fleet));
        fleet.filter(|fleet| !fleet.probe).map_or(0, |_| cell.hosts)
    };
    let assets_hit = cells.iter().map(|cell| assets(&plan.topology.cells[cell])).sum();
    let levers =
        world(window, plan, catalogs)?.levers().into_iter().map(|(lever, _)| lever).collect();
    let quorum_at_risk = services.values().any(|(hit, all)| (all - hit) * 2 <= *all);
    Some(BlastRadius {
        nodes_hit: most,
        nodes: plan.topology.nodes.len(),
        assets_hit,
        services,
        regions,
        levers,
        quorum_at_risk,
    })
}

/// The window's world at its opening, with as many picked as it takes: the first by name, of a second target from the second on, since two
/// sides of one fault are never the same node.
pub(crate) fn world(window: &Window, plan: &Plan, catalogs: &Catalogs) -> Option<Conditions> {
    let fault = (catalogs.faults.find(&window.fault.kind)?.make)(&window.fault.params).ok()?;
    let pick = |(number, target): (usize, &Target)| -> Vec<End> {
        let fit = target.fitting(&plan.topology);
        let most = most_hit(target, plan, catalogs).min(fit.len());
        fit.iter().cycle().skip(number).take(most).cloned().collect()
    };
    let picked: Vec<Vec<End>> = fault.targets().iter().enumerate().map(pick).collect();
    Some(fault.at(&Moment {
        elapsed: std::time::Duration::ZERO,
        topology: &plan.topology,
        picked: &picked,
    }))
}

/// How many ends a target hits, whatever their roles will be.
pub(crate) fn hits(target: &Target, topology: &Topology) -> usize {
    target.mode().count(target.fitting(topology).len())
}

/// How many ends a target can hit at most. A role is held by one node per shard; which one is known only while the stack runs.
fn most_hit(target: &Target, plan: &Plan, catalogs: &Catalogs) -> usize {
    let Target::Nodes(words) = target else { return hits(target, &plan.topology) };
    let layout_of = |service: &ServiceId| {
        services::layout_of(catalogs, service, plan.services.get(service)?, &plan.topology)
    };
    let meant =
        plan.services.keys().filter(|name| words.service.as_ref().is_none_or(|it| it == *name));
    let layouts: Vec<_> = meant.filter_map(layout_of).collect();
    let named = |role: &&RoleName| words.role.as_deref() == Some(role.name);
    let mut roles = layouts.iter().flat_map(|layout| layout.roles()).filter(named).peekable();
    let one_holder = roles.peek().is_some() && roles.all(|role| role.kind.leads());
    let holders = match (&words.shard, &words.service) {
        _ if !one_holder => usize::MAX,
        (Some(_), _) => 1,
        (None, Some(_)) => layouts.iter().map(|layout| layout.shards().len()).sum(),
        (None, None) => usize::MAX,
    };
    hits(target, &plan.topology).min(holders)
}

/// Nodes that are surely down in a world.
pub(crate) fn down(world: &Conditions) -> BTreeSet<&NodeId> {
    let down = world.nodes.iter().filter(|(_, condition)| condition.state.is_down());
    down.map(|(name, _)| name).collect()
}

/// Regions whose every node of some service is down or cut off from all others.
pub(crate) fn lost_regions(world: &Conditions, plan: &Plan) -> BTreeSet<RegionId> {
    let down = down(world);
    let cut: BTreeSet<&NodeId> = world
        .links
        .iter()
        .filter(|(_, link)| link.severs() == Severs::Everything)
        .filter_map(|(link, _)| match &link.from {
            End::Node(name) => Some(name),
            End::Cell(_) => None,
        })
        .collect();
    let lost = |region: &&RegionId| {
        let mut nodes = plan.topology.nodes_in(region).peekable();
        nodes.peek().is_some()
            && nodes.all(|node| {
                down.contains(node)
                    || (cut.contains(node) && down.is_empty() && isolated(node, world, plan))
            })
    };
    plan.topology.regions.keys().filter(lost).cloned().collect()
}

/// Whether every link of a node to nodes of other regions is cut.
fn isolated(node: &NodeId, world: &Conditions, plan: &Plan) -> bool {
    let region = &plan.topology.nodes[node].region;
    let mut others = plan
        .topology
        .nodes
        .iter()
        .filter(|(_, other)| other.region != *region)
        .map(|(name, _)| name)
        .peekable();
    let is_cut = |other: &NodeId| {
        let link = model::Link::new(End::Node(node.clone()), End::Node(other.clone()));
        world.links.get(&link).is_some_and(|link| link.severs() == Severs::Everything)
    };
    others.peek().is_some() && others.all(is_cut)
}
