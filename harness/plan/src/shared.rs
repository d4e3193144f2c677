//! Where services are, and what those of one stack have to do with each other: nodes that they share, services that they need.

use std::collections::{BTreeMap, BTreeSet};

use document::{Node, Problem, Problems, Sp, Span};
use model::{NodeId, RegionId, ServiceId, topology, topology::Node as Machine};
use seams::Objection;

use crate::{
    addresses, bounds,
    built::Built,
    catalogs::Catalogs,
    kinds::{Named, services_named},
    names, places, services,
};

/// Where a service wants to be.
pub(crate) struct Wish {
    pub(crate) name: Sp<String>,
    pub(crate) nodes: Option<BTreeMap<Sp<String>, Sp<u32>>>,
    pub(crate) nodes_of: Option<Sp<String>>,
}

/// Gives every service its nodes: first those with nodes of their own, then each that shares nodes after the one that it shares with.
pub(crate) fn place_all(
    wishes: Vec<Wish>,
    built: &mut Built,
    catalogs: &Catalogs,
    problems: &mut Problems,
) {
    let spans: BTreeMap<ServiceId, Span> = wishes
        .iter()
        .filter_map(|wish| Some((id(&wish.name), wish.nodes_of.as_ref()?.span)))
        .collect();
    let mut waiting = vec![];
    for wish in wishes {
        match wish.nodes_of.clone() {
            None => place(&wish.name, wish.nodes.as_ref(), built, problems),
            Some(host) => {
                if names::known("service", &host, host.span, built.service_names(), problems) {
                    waiting.push((wish, host));
                }
            }
        }
    }
    while !waiting.is_empty() {
        let stands =
            |host: &Sp<String>| waiting.iter().all(|(wish, _)| wish.name.value != host.value);
        match waiting.iter().position(|(_, host)| stands(host)) {
            Some(next) => {
                let (wish, host) = waiting.remove(next);
                share(&wish, &host, built, problems);
            }
            None => {
                problems.push(nodes_of_nobody(&waiting));
                return;
            }
        }
    }
    problems.extend(ports_twice(built, catalogs, &spans));
}

fn id(name: &Sp<String>) -> ServiceId {
    name.as_str().into()
}

/// Each of them shares the nodes of another of them. The first is told; what comes of it follows.
fn nodes_of_nobody(waiting: &[(Wish, Sp<String>)]) -> Problem {
    let (wish, host) = &waiting[0];
    let message = match wish.name.value == host.value {
        true => format!("service `{}` shares its own nodes", host.value),
        false => format!(
            "service `{}` shares the nodes of `{}`, which has none",
            wish.name.value, host.value
        ),
    };
    let problem = Problem::new("name", host.span, message).label("no nodes come of it");
    problem.help("One of the services has to have `nodes` of its own")
}

/// Default: one node in every region.
fn place(
    name: &Sp<String>,
    nodes: Option<&BTreeMap<Sp<String>, Sp<u32>>>,
    built: &mut Built,
    problems: &mut Problems,
) {
    let each: Vec<(RegionId, u32)> = match nodes {
        None => built.topology.regions.keys().map(|region| (region.clone(), 1)).collect(),
        Some(nodes) => {
            let known = nodes.iter().filter(|(region, _)| {
                names::known("region", region, region.span, built.region_names(), problems)
            });
            known.map(|(region, count)| (region.as_str().into(), **count)).collect()
        }
    };
    if each.iter().all(|(_, count)| *count == 0)
        && nodes.is_none_or(|nodes| nodes.values().all(|count| **count == 0))
    {
        let message = format!("service `{}` has no node", name.value);
        problems.push(
            Problem::new("range", name.span, message)
                .label("runs nowhere")
                .help("Add `nodes: {region: 1}`"),
        );
    }
    let regions: Vec<RegionId> = built.topology.regions.keys().cloned().collect();
    for (region, count) in each {
        let number = regions.iter().position(|name| *name == region).expect("known regions only");
        let zones = built.topology.regions[&region].zones.clone();
        let before = built.topology.nodes_in(&region).count() as u32;
        if u64::from(before) + u64::from(count) > addresses::NODES_MAX.into() {
            let message = format!("more than {} nodes in `{region}`", addresses::NODES_MAX);
            problems.push(Problem::new("range", name.span, message).label("too many"));
            continue;
        }
        let all = built.topology.nodes.len() + count as usize;
        if !bounds::within("nodes", all, bounds::NODES_MAX, name.span, problems) {
            return;
        }
        let owner = format!("service `{}` in region `{region}`", name.value);
        for i in 0..count {
            let id = format!("{}-{region}-{}", name.value, i + 1);
            if !built.taken.take("node", &id, (&owner, name.span), problems) {
                break;
            }
            let zone = (!zones.is_empty()).then(|| zones[i as usize % zones.len()].clone());
            let address = addresses::of_node(number, before + i);
            let services = [name.as_str().into()].into();
            let node = Machine { region: region.clone(), zone, services, address };
            built.topology.nodes.insert(NodeId::from(id), node);
        }
    }
}

fn share(wish: &Wish, host: &Sp<String>, built: &mut Built, problems: &mut Problems) {
    let topology = &built.topology;
    let all: Vec<NodeId> = topology.nodes_of(&id(host)).cloned().collect();
    let chosen = match &wish.nodes {
        None => all,
        Some(nodes) => {
            let mut chosen = vec![];
            for (region, count) in nodes {
                if names::known("region", region, region.span, built.region_names(), problems) {
                    let here = RegionId::from(region.as_str());
                    let there: Vec<_> =
                        all.iter().filter(|node| topology.nodes[*node].region == here).collect();
                    if there.len() < count.value as usize {
                        problems.push(too_few(host, region, count, there.len()));
                    }
                    chosen.extend(there.into_iter().take(count.value as usize).cloned());
                }
            }
            chosen
        }
    };
    if chosen.is_empty() {
        let message = format!("service `{}` has no node", wish.name.value);
        problems.push(Problem::new("range", wish.name.span, message).label("runs nowhere"));
    }
    for node in chosen {
        if let Some(node) = built.topology.nodes.get_mut(&node) {
            node.services.insert(id(&wish.name));
        }
    }
}

fn too_few(host: &Sp<String>, region: &Sp<String>, count: &Sp<u32>, there: usize) -> Problem {
    let message = format!(
        "{} nodes of `{}` in `{}`, where it has {there}",
        count.value, host.value, region.value
    );
    Problem::new("range", count.span, message).label("more than there are")
}

/// A port of a node belongs to one service.
fn ports_twice(
    built: &Built,
    catalogs: &Catalogs,
    spans: &BTreeMap<ServiceId, Span>,
) -> Vec<Problem> {
    let mut told: Vec<(&ServiceId, &ServiceId)> = vec![];
    let mut problems = vec![];
    let layouts = services::layouts(catalogs, &built.services, &built.topology);
    let layout = |name: &ServiceId| layouts.get(name);
    for (node, machine) in built.topology.nodes.iter().filter(|(_, node)| node.services.len() > 1) {
        let mut taken: BTreeMap<u16, &ServiceId> = BTreeMap::new();
        let layouts = machine.services.iter().filter_map(|name| Some((name, layout(name)?)));
        for (name, layout) in layouts {
            for (_, port) in layout.endpoints() {
                let Some(other) = taken.insert(*port, name).filter(|other| *other != name) else {
                    continue;
                };
                let (Some(at), false) =
                    (spans.get(name).or(spans.get(other)), told.contains(&(other, name)))
                else {
                    continue;
                };
                told.push((other, name));
                let message =
                    format!("`{other}` and `{name}` both listen on port {port} of `{node}`");
                let problem = Problem::new("logic", *at, message).label("these nodes are shared");
                problems.push(problem.help("Give one of them nodes of its own, or another port"));
            }
        }
    }
    problems
}

/// What services let others know, and whom they need; checks the parameters that name other services.
pub(crate) fn needs(
    services: &Node,
    built: &mut Built,
    catalogs: &Catalogs,
    problems: &mut Problems,
) {
    let layouts = services::layouts(catalogs, &built.services, &built.topology);
    let face = |name: &ServiceId| {
        let layout = layouts.get(name)?;
        let endpoints = layout.endpoints().iter();
        let endpoints = endpoints.map(|(name, port)| ((*name).to_owned(), *port)).collect();
        let needs = BTreeSet::new();
        Some((name.clone(), topology::Service { endpoints, needs, shards: layout.shards() }))
    };
    let faces: BTreeMap<_, _> = built.services.keys().filter_map(face).collect();
    built.topology.services = faces;
    let mut named_at = BTreeMap::new();
    for entry in services.entries() {
        let name = ServiceId::from(entry.key.text.as_str());
        let objections = layouts.get(&name).map(|layout| layout.check()).unwrap_or_default();
        for Objection { key, message, help } in objections {
            let at = places::of(&entry.value, &key).unwrap_or(entry.key.span);
            problems.push(Problem { help, ..Problem::new("logic", at, message) });
        }
        for named in named_by(&name, built, catalogs) {
            let at = named.place(&entry.value).unwrap_or(entry.key.span);
            if !names::known("service", named.service(), at, built.service_names(), problems) {
                continue;
            }
            problems.extend(no_endpoint(&named, at, built));
            let other = ServiceId::from(named.service());
            named_at.insert((name.clone(), other.clone()), at);
            if let Some(service) = built.topology.services.get_mut(&name) {
                service.needs.insert(other);
            }
        }
    }
    if let Err(circle) = built.topology.start_order() {
        let next = circle.get(1).unwrap_or(&circle[0]);
        let at = named_at.get(&(circle[0].clone(), next.clone())).copied().unwrap_or(services.span);
        let all: Vec<&str> = circle.iter().map(ServiceId::as_str).collect();
        let message = match circle.len() {
            1 => format!("service {} needs itself", names::quoted(&all)),
            _ => format!("services {} need each other in a circle", names::quoted(&all)),
        };
        let problem = Problem::new("logic", at, message).label("closes the circle");
        problems.push(problem.help("Each service is brought up after those that it names; none of these could be the first"));
    }
}

fn named_by(name: &ServiceId, built: &Built, catalogs: &Catalogs) -> Vec<Named> {
    let Some(spec) = built.services.get(name).and_then(|running| running.spec.as_ref()) else {
        return vec![];
    };
    let kind = catalogs.services().find(&spec.kind).copied();
    kind.map(|kind| services_named(&(kind.schema)(), &spec.params)).unwrap_or_default()
}

fn no_endpoint(named: &Named, at: Span, built: &Built) -> Option<Problem> {
    let (wanted, other) =
        (named.endpoint.as_deref()?, built.topology.services.get(named.service())?);
    if other.endpoints.contains_key(wanted) {
        return None;
    }
    let has: Vec<&str> = other.endpoints.keys().map(String::as_str).collect();
    let message = format!("service `{}` has no endpoint `{wanted}`", named.service());
    let problem = Problem::new("logic", at, message).label("another kind of service is wanted");
    Some(problem.help(format!("It has {}", names::quoted(&has))))
}
