//! Whom a fault hits: every name is known, somebody is hit, and the kind itself has no objection.

use std::collections::BTreeSet;

use document::{Node, Problem, Span};
use model::{
    End, FleetId, NodeId, RegionId, ShardId, ZoneId,
    plan::{CellTarget, NodeTarget, Target},
};
use seams::{Fault, Objection};

use super::Builder;
use crate::{blast_radius::hits, names, places, services};

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
        for Objection { key, message, help } in fault.check(topology) {
            let place = places::of(params, &key).unwrap_or(at);
            self.problems.push(Problem { help, ..Problem::new("logic", place, message) });
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
        let roles = services::roles(self.catalogs, service.as_ref(), self.built);
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
    }
}
