//! What a fault can reach: its nodes, levers and assets, with every node that its targets could mean.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Conditions, End, NodeId, Plan, RegionId, ServiceId, Severs, Topology,
    plan::{Target, Window},
};
use seams::{Moment, RoleName};
use serde::Serialize;

use crate::{catalogs::Catalogs, evidence};

/// The reach of one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blast {
    /// Nodes that it hits at once, of all nodes.
    pub nodes_hit: usize,
    pub nodes: usize,
    /// Per service: nodes hit at most, and how many it has.
    pub services: BTreeMap<ServiceId, (usize, usize)>,
    pub regions: BTreeSet<RegionId>,
    /// What the lab must be able to do.
    pub levers: BTreeSet<model::Lever>,
    /// Whether some service keeps no majority of its nodes.
    pub quorum_at_risk: bool,
}

/// None when the fault cannot be made from its parameters: a plan of another build.
pub(crate) fn of(window: &Window, plan: &Plan, catalogs: &Catalogs) -> Option<Blast> {
    let fault = (catalogs.faults.find(&window.fault.kind)?.make)(&window.fault.params).ok()?;
    let targets = fault.targets();
    let fitting: BTreeSet<&NodeId> = targets
        .iter()
        .flat_map(|target| {
            plan.topology.nodes.iter().filter(|(name, node)| target.fits(name, node))
        })
        .map(|(name, _)| name)
        .collect();
    let most: usize = targets
        .iter()
        .map(|target| most_hit(target, plan, catalogs))
        .sum::<usize>()
        .min(fitting.len());
    let mut services = BTreeMap::new();
    for service in plan.services.keys() {
        let all = plan.topology.nodes_of(service).count();
        let hit =
            plan.topology.nodes_of(service).filter(|node| fitting.contains(node)).count().min(most);
        if hit > 0 {
            services.insert(service.clone(), (hit, all));
        }
    }
    let regions = fitting.iter().map(|node| plan.topology.nodes[*node].region.clone()).collect();
    let levers =
        world(window, plan, catalogs)?.levers().into_iter().map(|(lever, _)| lever).collect();
    let quorum_at_risk = services.values().any(|(hit, all)| (all - hit) * 2 <= *all);
    Some(Blast {
        nodes_hit: most,
        nodes: plan.topology.nodes.len(),
        services,
        regions,
        levers,
        quorum_at_risk,
    })
}

/// The window's world at its opening, with as many picked as it takes, the first by name.
pub(crate) fn world(window: &Window, plan: &Plan, catalogs: &Catalogs) -> Option<Conditions> {
    let fault = (catalogs.faults.find(&window.fault.kind)?.make)(&window.fault.params).ok()?;
    let pick = |target: &Target| -> Vec<NodeId> {
        let fit = plan
            .topology
            .nodes
            .iter()
            .filter(|(name, node)| target.fits(name, node))
            .map(|(name, _)| name.clone());
        fit.take(most_hit(target, plan, catalogs)).collect()
    };
    let picked: Vec<Vec<NodeId>> = fault.targets().iter().map(pick).collect();
    Some(fault.at(&Moment {
        elapsed: std::time::Duration::ZERO,
        topology: &plan.topology,
        picked: &picked,
    }))
}

/// Nodes that a target hits, whatever their roles will be.
pub(crate) fn hits(target: &Target, topology: &Topology) -> usize {
    let fit = topology.nodes.iter().filter(|(name, node)| target.fits(name, node)).count();
    target.mode.count(fit)
}

/// How many nodes a target can hit at most. A role is held by one node per shard; which one is known only while the stack runs.
fn most_hit(target: &Target, plan: &Plan, catalogs: &Catalogs) -> usize {
    let layout_of = |service: &ServiceId| {
        evidence::layout_of(catalogs, service, plan.services.get(service)?, &plan.topology)
    };
    let meant =
        plan.services.keys().filter(|name| target.service.as_ref().is_none_or(|it| it == *name));
    let layouts: Vec<_> = meant.filter_map(layout_of).collect();
    let named = |role: &&RoleName| target.role.as_deref() == Some(role.name);
    let mut roles = layouts.iter().flat_map(|layout| layout.roles()).filter(named).peekable();
    let one_holder = roles.peek().is_some() && roles.all(|role| role.kind.leads());
    let holders = match (&target.shard, &target.service) {
        _ if !one_holder => usize::MAX,
        (Some(_), _) => 1,
        (None, Some(_)) => layouts.iter().map(|layout| layout.shards().len()).sum(),
        (None, None) => usize::MAX,
    };
    hits(target, &plan.topology).min(holders)
}

/// Nodes that are surely down in a world.
pub(crate) fn down(world: &Conditions) -> BTreeSet<&NodeId> {
    world.nodes.iter().filter(|(_, state)| state.is_down()).map(|(name, _)| name).collect()
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
