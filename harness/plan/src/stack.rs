//! The stack: regions, links, services and their nodes.

use std::collections::BTreeSet;

use document::{Node, Part, Problem, Problems, Sp, Span, read_as};
use model::{KindSpec, LinkQuality, RegionId, Track, ZoneId, topology::Region};
use seams::links::Way;

use crate::{
    addresses, bounds,
    built::{Built, Running},
    catalogs::Catalogs,
    grammar::{Quality, Service, Stack},
    kinds, names,
    shared::{self, Wish},
    tracks::{self, Clocked, Clockwork},
};

/// Keys of a service that are the engine's own.
const KEYS: &[&str] = &["kind", "nodes", "nodes_of"];

pub(crate) fn build(
    stack: &Sp<Stack>,
    root: &Node,
    catalogs: &Catalogs,
    clockwork: Clockwork,
    problems: &mut Problems,
) -> Built {
    let at = stack.span;
    let mut built =
        Built { lab: lab(stack.lab.as_ref(), at, root, catalogs, problems), ..Built::default() };
    match &stack.regions {
        Some(regions) if regions.len() > addresses::REGIONS_MAX => {
            let first = regions.keys().next().map_or(at, |name| name.span);
            bounds::within("regions", regions.len(), addresses::REGIONS_MAX, first, problems);
            return built;
        }
        Some(regions) if !regions.is_empty() => {
            for (name, region) in regions {
                names::declared("region", name, problems);
                region.zones.iter().flatten().for_each(|zone| {
                    names::declared("zone", zone, problems);
                });
                let zones =
                    region.zones.iter().flatten().map(|zone| ZoneId::from(zone.as_str())).collect();
                built.topology.regions.insert(name.as_str().into(), Region { zones });
            }
        }
        _ => names::missing("the stack", "regions", at, "{us-west: {}, us-east: {}}", problems),
    }
    links(stack, &mut built, clockwork, problems);
    built.clock = stack.links.iter().flatten().filter_map(|(_, way)| tracks::period(way)).max();
    match stack.services.as_ref().and_then(|part| root.find(part.id)) {
        Some(services)
            if !bounds::within(
                "services",
                services.entries().len(),
                bounds::SERVICES_MAX,
                services.span,
                problems,
            ) => {}
        Some(services) if !services.entries().is_empty() => {
            let mut wishes = vec![];
            for entry in services.entries() {
                let name = Sp { value: entry.key.text.clone(), span: entry.key.span };
                if names::declared("service", &name, problems) {
                    wishes.extend(service(name, &entry.value, &mut built, catalogs, problems));
                }
            }
            shared::place_all(wishes, &mut built, catalogs, problems);
            shared::needs(services, &mut built, catalogs, problems);
        }
        _ => names::missing(
            "the stack",
            "services",
            at,
            "{store: {kind: reference, nodes: {us-west: 1}}}",
            problems,
        ),
    }
    built
}

/// `lab: local`, or `lab: {kind: local, ...}`. Without it the first lab of the catalog.
fn lab(
    part: Option<&Part>,
    at: Span,
    root: &Node,
    catalogs: &Catalogs,
    problems: &mut Problems,
) -> Option<KindSpec> {
    let default = catalogs.labs.names().next()?;
    let empty = Node { id: 0, span: at, origin: None, kind: document::Kind::Map(vec![]) };
    let (name, span, node) = match part.and_then(|part| root.find(part.id)) {
        None => (default, at, empty),
        Some(node) => match node.text() {
            Some(name) => (name, node.span, Node { span: node.span, ..empty }),
            None => {
                let (name, span) =
                    kinds::kind_needed(node, "the lab", node.span, default, problems)?;
                (name, span, node.without(&["kind"]))
            }
        },
    };
    let kind = kinds::find(&catalogs.labs, name, span, problems)?;
    kinds::params(kind, &node, &["kind"], problems)
}

fn links(stack: &Stack, built: &mut Built, clockwork: Clockwork, problems: &mut Problems) {
    let regions: Vec<RegionId> = built.topology.regions.keys().cloned().collect();
    for from in &regions {
        for to in regions.iter().filter(|to| *to != from) {
            built.topology.wan.insert((from.clone(), to.clone()), LinkQuality::default());
        }
    }
    // A pair that is given reversed too goes one way each; the others go both ways, so these come first.
    let (mut one_way, mut clocked) = (vec![], vec![]);
    let given: BTreeSet<(&str, &str)> =
        stack.links.iter().flatten().filter_map(|(pair, _)| pair_of(pair)).collect();
    for (pair, way) in stack.links.iter().flatten() {
        let quality = quality(way, pair.span, problems);
        let mut track = clockwork.track(way, clockwork.draws.named(pair), problems);
        // Passes of a file stand there, and the mistake here.
        let here = |span: Span| if span.source == pair.span.source { span } else { pair.span };
        problems.extend(way.contact.as_ref().map(|passes| no_passes(here(passes.span))));
        let Some((from, to)) = ends(pair, &regions, problems) else { continue };
        let name = format!("{from} ~ {to}");
        if !built.taken.take("link", &name, (&format!("the pair `{name}`"), pair.span), problems) {
            continue;
        }
        if !built.has_room(&track, pair.span, problems) {
            track = Track::default();
        }
        let reversed = given.contains(&(to.as_str(), from.as_str()));
        if !reversed {
            built.topology.wan.insert((to.clone(), from.clone()), quality.clone());
            clocked.push(((to.clone(), from.clone()), track.clone()));
        }
        clocked.push(((from.clone(), to.clone()), track));
        one_way.push(((from, to), quality));
    }
    built.topology.wan.extend(one_way);
    built.topology.wan_tracks.extend(clocked.into_iter().filter(|(_, track)| !track.is_empty()));
}

/// Silence of a link between regions would be nobody's planned silence: assets at both its ends can be reached.
fn no_passes(at: Span) -> Problem {
    let problem = Problem::new("logic", at, "a link between regions has no contact plan")
        .label("for access links only");
    problem.help("Write `trace: [{at: 0s}, {at: 40s, up: false}]`, or the fault `partition`")
}

pub(crate) fn pair_of(text: &str) -> Option<(&str, &str)> {
    let (from, to) = text.split_once('~')?;
    Some((from.trim(), to.trim()))
}

fn ends(
    pair: &Sp<String>,
    regions: &[RegionId],
    problems: &mut Problems,
) -> Option<(RegionId, RegionId)> {
    let Some((from, to)) = pair_of(pair) else {
        let problem =
            Problem::new("name", pair.span, format!("`{}` is no pair of regions", pair.value))
                .label("not a pair");
        problems.push(problem.help("Write `one ~ other`"));
        return None;
    };
    let place = |part: &str| part_of(pair, part);
    let declared = || regions.iter().map(RegionId::as_str);
    let both =
        [from, to].map(|name| names::known("region", name, place(name), declared(), problems));
    if both == [true, true] && from == to {
        problems.push(
            Problem::new("logic", pair.span, format!("a link from `{from}` to itself"))
                .label("both ends are one region"),
        );
        return None;
    }
    (both == [true, true]).then(|| (from.into(), to.into()))
}

/// The span of a part of a key. Right for keys written without escapes, which is how regions are written.
fn part_of(whole: &Sp<String>, part: &str) -> Span {
    let offset = part.as_ptr() as usize - whole.value.as_ptr() as usize;
    let quote = (whole.span.end - whole.span.start) as usize - whole.value.len();
    let start = whole.span.start + (offset + quote / 2) as u32;
    Span { start, end: start + part.len() as u32, ..whole.span }
}

pub(crate) fn quality(asked: &Quality, at: Span, problems: &mut Problems) -> LinkQuality {
    let Quality {
        delay,
        jitter,
        loss,
        duplicate,
        corrupt,
        reorder,
        rate,
        queue,
        mtu,
        profile: _,
        trace: _,
        repeat: _,
        contact: _,
    } = asked;
    let way = Way {
        delay: delay.map(|delay| *delay).unwrap_or_default(),
        jitter: jitter.map(|jitter| *jitter).unwrap_or_default(),
        loss: loss.unwrap_or_default(),
        duplicate: duplicate.unwrap_or_default(),
        corrupt: corrupt.unwrap_or_default(),
        reorder: reorder.map(|reorder| *reorder).unwrap_or_default(),
        rate: *rate,
        queue: queue.map(|queue| *queue),
        mtu: mtu.map(|mtu| *mtu),
    };
    let spans = [
        ("jitter", jitter.map(|it| it.span)),
        ("reorder", reorder.map(|it| it.span)),
        ("queue", queue.map(|it| it.span)),
        ("mtu", mtu.map(|it| it.span)),
    ];
    let mistakes = match tracks::clocked(asked) {
        Some(Clocked { delayed, limited }) => way.mistakes_on_top(delayed, limited),
        None => way.mistakes(),
    };
    problems.extend(mistakes.into_iter().map(|mistake| {
        let span = spans
            .iter()
            .find(|(key, _)| *key == mistake.key)
            .and_then(|(_, span)| *span)
            .unwrap_or(at);
        Problem::new("range", span, mistake.message).label(mistake.label).help(mistake.help)
    }));
    way.quality()
}

/// None for one whose own keys could not be read: nobody knows where it wants to be.
fn service(
    name: Sp<String>,
    node: &Node,
    built: &mut Built,
    catalogs: &Catalogs,
    problems: &mut Problems,
) -> Option<Wish> {
    let family = catalogs.services();
    let mut running = Running { kind: String::new(), spec: None };
    let what = format!("service `{}`", name.value);
    if let Some((kind, span)) = kinds::kind_needed(
        node,
        &what,
        name.span,
        family.names().next().unwrap_or("reference"),
        problems,
    ) {
        running.kind = kind.to_owned();
        problems.extend(lives_elsewhere(kind, span, built.lab.as_ref(), catalogs));
        if let Some(kind) = kinds::find(&family, kind, span, problems) {
            running.spec = kinds::params(kind, &node.without(KEYS), KEYS, problems);
        }
    }
    built.services.insert(name.as_str().into(), running);
    let is_ours = |key: &str| key != "kind" && KEYS.contains(&key);
    let ours = node.entries().iter().filter(|entry| is_ours(&entry.key.text));
    let own = Node { kind: document::Kind::Map(ours.cloned().collect()), ..node.clone() };
    let Service { nodes, nodes_of } = read_as(&own, problems)?;
    Some(Wish { name, nodes, nodes_of })
}

/// A lab in memory takes only the systems made for it, and those run nowhere else.
fn lives_elsewhere(
    kind: &str,
    span: Span,
    lab: Option<&KindSpec>,
    catalogs: &Catalogs,
) -> Option<Problem> {
    let (system, lab) = (catalogs.system_of(kind)?, lab?.kind.as_str());
    let of_lab: Vec<&str> = catalogs
        .systems
        .iter()
        .filter(|system| system.lab == Some(lab))
        .map(|system| system.name)
        .collect();
    let is_of_a_system = |lab: &str| catalogs.systems.iter().any(|system| system.lab == Some(lab));
    let help = match system.lab {
        Some(own) if own != lab => format!("Write `lab: {own}`, or take another kind of service"),
        None if !of_lab.is_empty() => {
            let mut open = catalogs.labs.names().filter(|name| !is_of_a_system(name));
            let other = open.next().map(|name| format!("; or write `lab: {name}`"));
            format!(
                "The lab `{lab}` has services of the kind `{}` only{}",
                of_lab.join("`, `"),
                other.unwrap_or_default()
            )
        }
        _ => return None,
    };
    let message = format!("a service of the kind `{kind}` does not live in the lab `{lab}`");
    Some(Problem::new("logic", span, message).label("lives elsewhere").help(help))
}
