//! Whom a fault hits: every name is known, somebody is hit, and the kind itself has no objection.

use std::collections::BTreeSet;

use document::{Node, Problem, Span};
use model::{
    End, FleetId, NodeId, RegionId, ShardId, Topology, ZoneId,
    plan::{CellTarget, Mode, NodeTarget, Target},
};
use seams::{Fault, Moment, Objection};

use super::Builder;
use crate::{blast_radius::hits, names, places, services};

/// Holders of a role that are tried: with the first ones of a list every link of theirs has been seen.
const HOLDERS_TRIED: usize = 3;

/// Moments of a fault that changes by itself that are tried.
const MOMENTS_TRIED: usize = 64;

/// Whether the fault changes anything in this stack. A role is held by one node at least, whichever.
fn acts(fault: &dyn Fault, topology: &Topology) -> bool {
    let targets = fault.targets();
    let fitting: Vec<Vec<End>> = targets.iter().map(|target| target.fitting(topology)).collect();
    let by_role = |target: &Target| matches!(target, Target::Nodes(words) if words.role.is_some());
    let all = targets.iter().zip(&fitting).map(|(target, fit)| {
        let count = target.mode().count(fit.len());
        fit.iter().take(count).cloned().collect::<Vec<End>>()
    });
    let all: Vec<Vec<End>> = all.collect();
    let one_holder = |holder: usize| -> Vec<Vec<End>> {
        let targets = targets.iter().zip(&all);
        let picked = targets.map(|(target, all)| match by_role(target) {
            true => all.iter().cycle().skip(holder).take(1).cloned().collect(),
            false => all.clone(),
        });
        picked.collect()
    };
    let some_role = targets.iter().any(by_role);
    let holders = (0..HOLDERS_TRIED).filter(|_| some_role).map(one_holder);
    std::iter::once(all.clone()).chain(holders).any(|picked| {
        // A fault that begins with nothing may do something later.
        fault.moments().take(MOMENTS_TRIED).any(|elapsed| {
            !fault.at(&Moment { elapsed, topology, picked: &picked }).levers().is_empty()
        })
    })
}

fn nothing_to_act_on(at: Span) -> Problem {
    let problem = Problem::new("logic", at, "this fault has nothing to act on")
        .label("touches no link, no node and no asset");
    problem.help(
        "Links join a node with another one or with clients: name two sides that differ, or a part of the nodes and leave others",
    )
}

impl Builder<'_> {
    /// Every name that the fault's targets use, whether anybody is hit at all, and the kind's own checks.
    pub(super) fn check(&mut self, fault: &dyn Fault, params: &Node, at: Span) {
        let topology = &self.built.topology;
        let before = self.problems.len();
        for target in fault.targets() {
            self.target(&target, params, at);
        }
        if self.problems.len() > before {
            return;
        }
        let names_fit = !self
            .problems
            .iter()
            .any(|problem| matches!(problem.code, "name" | "key" | "trap" | "type"));
        for target in fault.targets().iter().filter(|_| names_fit) {
            if hits(target, topology) == 0 {
                let problem =
                    Problem::new("logic", at, "this fault hits nobody").label("zero targets");
                self.problems.push(problem.help(match target {
                    Target::Nodes(_) => {
                        "No node of the stack fits all of its targets' words at once"
                    }
                    Target::Cells(_) => "No fleet has assets where its words look for them",
                }));
                return;
            }
        }
        self.processes(fault, params, at);
        let before = self.problems.len();
        for Objection { key, message, help } in fault.check(topology) {
            let place = places::of(params, &key).unwrap_or(at);
            self.problems.push(Problem { help, ..Problem::new("logic", place, message) });
        }
        if names_fit && self.problems.len() == before {
            fault.targets().iter().for_each(|target| self.too_many(target, params, at));
            if !acts(fault, topology) {
                self.problems.push(nothing_to_act_on(at));
            }
        }
    }

    /// Of nodes that are counted there must be as many.
    fn too_many(&mut self, target: &Target, params: &Node, at: Span) {
        let Mode::Fixed(wanted) = target.mode() else { return };
        let fit = target.fitting(&self.built.topology).len();
        if (wanted as usize) > fit {
            let place = places::of_number(params, "fixed", wanted).unwrap_or(at);
            let message = format!("{wanted} nodes are to be hit, and {fit} fit");
            let problem = Problem::new("range", place, message).label("more than there are");
            self.problems.push(problem.help(format!("At most {fit}, or `all`")));
        }
    }

    /// Each process that is named must be one of a node that can be hit.
    fn processes(&mut self, fault: &dyn Fault, params: &Node, at: Span) {
        let topology = &self.built.topology;
        let targets = fault.targets();
        let nodes = targets.iter().flat_map(|target| target.fitting(topology));
        let mut declared = BTreeSet::new();
        for end in nodes {
            let End::Node(name) = end else { continue };
            for service in &topology.nodes[&name].services {
                // Where the service itself has a mistake, its processes are not known.
                let Some(layout) = self.layout(service) else { return };
                let processes = layout.processes(&name, topology);
                declared.extend(processes.into_iter().map(|process| process.name));
            }
        }
        for name in fault.processes() {
            let place = places::of_name(params, &["process"], name).unwrap_or(at);
            let declared = declared.iter().map(String::as_str);
            names::known("process", name, place, declared, self.problems);
        }
    }

    fn target(&mut self, target: &Target, params: &Node, at: Span) {
        match target {
            Target::Nodes(target) => self.node_target(target, params, at),
            Target::Cells(target) => self.cell_target(target, params, at),
        }
    }

    fn cell_target(&mut self, target: &CellTarget, params: &Node, at: Span) {
        let topology = &self.built.topology;
        let CellTarget { region, fleet } = target;
        let place = |key: &str, name: &str| places::of_name(params, &[key], name).unwrap_or(at);
        if let Some(name) = region {
            let declared = topology.regions.keys().map(RegionId::as_str);
            let place = place("region", name.as_str());
            names::known("region", name.as_str(), place, declared, self.problems);
        }
        if let Some(name) = fleet {
            let declared: BTreeSet<&str> = topology
                .cells
                .values()
                .filter_map(|cell| cell.fleet.as_ref().map(FleetId::as_str))
                .collect();
            let place = place("fleet", name.as_str());
            names::known("fleet", name.as_str(), place, declared, self.problems);
        }
    }

    fn node_target(&mut self, target: &NodeTarget, params: &Node, at: Span) {
        let topology = &self.built.topology;
        let NodeTarget { region, zone, service, node, shard, exclude, role, mode: _ } = target;
        let roles = services::roles(&self.layouts, service.as_ref(), self.built);
        let layout = service.as_ref().or(self.built.services.keys().next());
        let layout = layout.and_then(|service| self.layout(service));
        let mut check = |what: &str, keys: &[&str], name: &str, declared: Vec<&str>| {
            let place = places::of_name(params, keys, name).unwrap_or(at);
            names::known(what, name, place, declared, self.problems);
        };
        if let Some(name) = region {
            let regions = topology.regions.keys().map(RegionId::as_str).collect();
            check("region", &["region"], name.as_str(), regions);
        }
        if let Some(name) = zone {
            let zones = topology.regions.values().flat_map(|region| &region.zones);
            check("zone", &["zone"], name.as_str(), zones.map(ZoneId::as_str).collect());
        }
        if let Some(name) = service {
            let services = self.built.service_names().collect();
            check("service", &["service", "of"], name.as_str(), services);
        }
        if let (Some(name), Some(roles)) = (role, roles) {
            check("role", &["role"], name, roles);
        }
        for name in node.iter().chain(exclude) {
            let nodes = topology.nodes.keys().map(NodeId::as_str).collect();
            check("node", &["node", "exclude"], name.as_str(), nodes);
        }
        if let (Some(name), Some(layout)) = (shard, layout) {
            let shards = layout.shards();
            check("shard", &["of"], name.as_str(), shards.iter().map(ShardId::as_str).collect());
        }
        let fitting = NodeTarget { exclude: vec![], ..target.clone() };
        for name in exclude {
            let is_in_vain = |node| !fitting.fits(name, node);
            if topology.nodes.get(name).is_some_and(is_in_vain) {
                let place = places::of_name(params, &["exclude"], name.as_str()).unwrap_or(at);
                self.problems.push(
                    Problem::new(
                        "logic",
                        place,
                        format!("`{name}` is excluded from what does not hit it"),
                    )
                    .label("not among these nodes anyway")
                    .help("take it away, or name a node that the fault would hit"),
                );
            }
        }
    }
}
