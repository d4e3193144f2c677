//! From whom a fault wants to hit to the nodes that it does hit. Pure.

use std::collections::BTreeSet;

use model::{
    Conditions, NodeId, RegionId, ServiceId, Topology,
    event::{Affected, Claim},
    plan::{Plan, Target, Window},
    schedule::{Draws, Purpose},
};

use crate::roles::Roles;

/// The nodes for each target of a window, in the order of their names. Where only some of those that fit are wanted, each node has a
/// draw of its own from the plan's seed and the lowest win, so that a choice does not depend on who else fits.
///
/// The error is a sentence about the first target that nobody fits.
pub(crate) fn resolve(
    plan: &Plan,
    window: &Window,
    targets: &[Target],
    roles: &Roles,
) -> Result<Vec<Vec<NodeId>>, String> {
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

fn pick(topology: &Topology, target: &Target, roles: &Roles, draws: Draws) -> Vec<NodeId> {
    let holders = target.role.as_deref().map(|role| roles.holders(role, target));
    let fits = |name: &NodeId| holders.as_ref().is_none_or(|holders| holders.contains(name));
    let fit = topology
        .nodes
        .iter()
        .filter(|(name, node)| target.fits(name, node) && fits(name))
        .map(|(name, _)| name);
    let mut fit: Vec<NodeId> = fit.cloned().collect();
    let count = target.mode.count(fit.len());
    if count < fit.len() {
        fit.sort_by_cached_key(|name| draws.named(name.as_str()).bits(Purpose::Target, 0));
        fit.truncate(count);
        fit.sort_unstable();
    }
    fit
}

fn nobody(target: &Target) -> String {
    match (&target.role, &target.shard) {
        (Some(role), Some(shard)) => format!("no node that fits is known as {role} of {shard}"),
        (Some(role), None) => format!("no node that fits is known as {role}"),
        (None, _) => "no node fits its target".to_owned(),
    }
}

/// What a window says it does: its levers at the picked nodes. A link counts at the end that was picked; who is at the other end did
/// not ask for it.
pub(crate) fn claims(world: &Conditions, picked: &[Vec<NodeId>]) -> BTreeSet<Claim> {
    let picked: BTreeSet<model::End> =
        picked.iter().flatten().cloned().map(model::End::Node).collect();
    let levers = world.levers().into_iter().filter(|(_, end)| picked.contains(end));
    levers.map(|(lever, end)| Claim { lever, end }).collect()
}

/// Whose assets a window declares to hit: of each service that has picked nodes, the regions in which all its nodes are picked; and the
/// shards that a picked node leads at this moment, as far as known.
pub(crate) fn affected(topology: &Topology, picked: &[Vec<NodeId>], roles: &Roles) -> Affected {
    let hit: BTreeSet<NodeId> = picked.iter().flatten().cloned().collect();
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
