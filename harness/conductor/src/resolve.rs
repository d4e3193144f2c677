//! From whom a fault wants to hit to the ends that it does hit. Pure.

use std::collections::BTreeSet;

use model::{
    CellId, Conditions, End, NodeId, RegionId, ServiceId, Topology,
    event::{Affected, Claim},
    plan::{Plan, Target, Window},
    schedule::{Draws, Purpose},
};

use crate::roles::Roles;

/// The ends for each target of a window, in the order of their names. Where only some of those that fit are wanted, each of them has a
/// draw of its own from the plan's seed and the lowest win, so that a choice does not depend on who else fits.
///
/// The error is a sentence about the first target that nobody fits.
pub(crate) fn resolve(
    plan: &Plan,
    window: &Window,
    targets: &[Target],
    roles: &Roles,
) -> Result<Vec<Vec<End>>, String> {
    if targets.is_empty() {
        return Err("it names no target".to_owned());
    }
    let draws = Draws::of(plan.seed).named("fault").named(window.id.as_str());
    let pick = |(index, target)| {
        let picked = pick(&plan.topology, target, roles, draws.then(index));
        if picked.is_empty() { Err(nobody(target)) } else { Ok(picked) }
    };
    (0u64..).zip(targets).map(pick).collect()
}

fn pick(topology: &Topology, target: &Target, roles: &Roles, draws: Draws) -> Vec<End> {
    let holders =
        target.nodes().and_then(|nodes| Some(roles.holders(nodes.role.as_deref()?, nodes)));
    let holds = |end: &End| match (&holders, end) {
        (Some(holders), End::Node(name)) => holders.contains(name),
        (Some(_), End::Cell(_)) => false,
        (None, _) => true,
    };
    let mut fit: Vec<End> = target.fitting(topology).into_iter().filter(holds).collect();
    let count = target.mode().count(fit.len());
    if count < fit.len() {
        fit.sort_by_cached_key(|end| draws.named(&end.to_string()).bits(Purpose::Target, 0));
        fit.truncate(count);
        fit.sort_unstable();
    }
    fit
}

fn nobody(target: &Target) -> String {
    let Target::Nodes(target) = target else {
        return "no cell of assets fits its target".to_owned();
    };
    match (&target.role, &target.shard) {
        (Some(role), Some(shard)) => format!("no node that fits is known as {role} of {shard}"),
        (Some(role), None) => format!("no node that fits is known as {role}"),
        (None, _) => "no node fits its target".to_owned(),
    }
}

/// What a window says it does: its levers at the picked ends. A link counts at the end that was picked; who is at the other end did
/// not ask for it.
pub(crate) fn claims(world: &Conditions, picked: &[Vec<End>]) -> BTreeSet<Claim> {
    let picked: BTreeSet<&End> = picked.iter().flatten().collect();
    world.claims().into_iter().filter(|claim| picked.contains(&claim.end)).collect()
}

/// Between which cells of assets and which nodes a world lets nothing pass.
pub(crate) fn severed(world: &Conditions, topology: &Topology) -> BTreeSet<(CellId, NodeId)> {
    let assets = topology.cells.iter().filter(|(_, cell)| cell.fleet.is_some());
    let pairs = assets.flat_map(|(cell, _)| topology.nodes.keys().map(move |node| (cell, node)));
    let severed = pairs.filter(|(cell, node)| world.cuts_off(cell, node));
    severed.map(|(cell, node)| (cell.clone(), node.clone())).collect()
}

/// Whose assets a window declares to hit: of each service that has picked nodes, the regions in which all its nodes are picked; and the
/// shards that a picked node leads at this moment, as far as known.
pub(crate) fn affected(topology: &Topology, picked: &[Vec<End>], roles: &Roles) -> Affected {
    let nodes = picked.iter().flatten().filter_map(|end| match end {
        End::Node(name) => Some(name.clone()),
        // Assets that are picked are hit themselves, whoever serves them.
        End::Cell(_) => None,
    });
    let hit: BTreeSet<NodeId> = nodes.collect();
    let services: BTreeSet<_> = hit
        .iter()
        .filter_map(|name| topology.nodes.get(name))
        .flat_map(|node| node.services.iter().map(move |service| (service, &node.region)))
        .collect();
    let all_hit = |service: &ServiceId, region: &RegionId| {
        let own = topology
            .nodes
            .iter()
            .filter(|(_, node)| node.services.contains(service) && node.region == *region);
        own.map(|(name, _)| name).all(|name| hit.contains(name))
    };
    let mut affected = Affected::default();
    for (service, region) in
        services.into_iter().filter(|(service, region)| all_hit(service, region))
    {
        affected.0.entry(service.clone()).or_default().regions.insert(region.clone());
    }
    for (service, shard) in roles.led_by(&hit) {
        affected.0.entry(service.clone()).or_default().shards.insert(shard.clone());
    }
    affected
}

#[cfg(test)]
mod tests {
    use model::{
        FleetCondition, FleetState, Link, NodeCondition, NodeState, Ports, ProcessState,
        conditions::CutForm,
        plan::CellTarget,
        topology::{Cell, Node},
    };

    use super::*;

    /// Nodes a and b, assets in the cell `west/assets`, and the cell of the region's observers.
    fn topology() -> Topology {
        let node = Node {
            region: "west".into(),
            zone: None,
            services: ["store".into()].into(),
            address: [198, 18, 0, 1].into(),
        };
        let cell = |fleet| Cell {
            region: "west".into(),
            fleet,
            base: [198, 19, 0, 0].into(),
            prefix: 28,
            hosts: 3,
            access: Default::default(),
            track: Default::default(),
        };
        Topology {
            nodes: [("a".into(), node.clone()), ("b".into(), node)].into(),
            cells: [
                ("west/assets".into(), cell(Some("terminals".into()))),
                ("west/observers".into(), cell(None)),
            ]
            .into(),
            ..Topology::default()
        }
    }

    fn severs(world: &Conditions) -> Vec<String> {
        severed(world, &topology()).iter().map(|(cell, node)| format!("{cell} {node}")).collect()
    }

    fn link(from: End, to: End) -> Link {
        Link::new(from, to)
    }

    fn a() -> End {
        End::Node("a".into())
    }

    fn assets() -> End {
        End::Cell("west/assets".into())
    }

    #[test]
    fn a_path_is_severed_by_its_own_link_and_ends_only() {
        let cut = |link, ports| {
            let mut world = Conditions::default();
            world.cut(link, ports, CutForm::Drop);
            world
        };
        assert_eq!(severs(&cut(link(a(), assets()), Ports::All)), ["west/assets a"], "one way");
        assert_eq!(severs(&cut(link(assets(), a()), Ports::Only([80].into()))), [""; 0]);
        let from_peers = cut(link(a(), End::Node("b".into())), Ports::All);
        assert_eq!(severs(&from_peers), [""; 0], "its clients still reach it");
        let node = |condition: NodeCondition| Conditions {
            nodes: [("a".into(), condition)].into(),
            ..Conditions::default()
        };
        assert_eq!(severs(&node(NodeState::Stopped.into())), ["west/assets a"]);
        let processes = [("store".into(), ProcessState::Crashed)].into();
        assert_eq!(severs(&node(NodeCondition { processes, ..Default::default() })), [""; 0]);
        let silent = FleetCondition { state: FleetState::Silent };
        let world =
            Conditions { fleets: [("west/assets".into(), silent)].into(), ..Conditions::default() };
        assert_eq!(severs(&world), ["west/assets a", "west/assets b"]);
    }

    #[test]
    fn a_target_may_mean_cells_of_assets() {
        let pick = |region: Option<&str>, fleet: Option<&str>| {
            let target = Target::from(CellTarget {
                region: region.map(Into::into),
                fleet: fleet.map(Into::into),
            });
            pick(&topology(), &target, &Roles::default(), Draws::of(1))
        };
        assert_eq!(pick(None, None), [assets()], "observers are no assets");
        assert_eq!(pick(Some("west"), Some("terminals")), [assets()]);
        assert_eq!(pick(Some("east"), None), []);
        assert_eq!(pick(None, Some("vehicles")), []);
    }
}
