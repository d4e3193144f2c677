//! Faults with their opening and closing, and their targets checked against the stack.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use document::{Kind, Node, Part, Problem, Problems, Sp, Span, read_as, units::Time};
use model::{
    End, FleetId, RegionId, ServiceId,
    plan::{
        CellTarget, Closing, EventPattern, NodeTarget, Opening, Phase, PhaseEnd, Target, Window,
    },
};
use seams::{Fault, Layout};

use crate::{
    blast::hits,
    built::Built,
    catalogs::{Catalogs, Family},
    evidence, grammar,
    grammar::{EventName, Lasts},
    kinds, names,
};

/// Keys of a fault that are the engine's own.
const KEYS: &[&str] = &["id", "at", "for", "when", "follow"];

pub(crate) struct Builder<'a> {
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) built: &'a Built,
    pub(crate) phases: &'a [Phase],
    pub(crate) problems: &'a mut Problems,
}

impl Builder<'_> {
    pub(crate) fn build(&mut self, parts: &[Part], root: &Node) -> Vec<Window> {
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut windows = vec![];
        for node in parts.iter().filter_map(|part| root.find(part.id)) {
            let Some((id, window)) = self.window(node, &seen) else { continue };
            if let Some(first) = seen.insert(id.value.clone(), id.span) {
                let problem = Problem::new(
                    "duplicate",
                    id.span,
                    format!("two faults are called `{}`", id.value),
                )
                .label("again here");
                self.problems
                    .push(problem.note(first, "first here").help("Give one of them another `id`"));
            }
            windows.extend(window);
        }
        windows
    }

    fn window(
        &mut self,
        node: &Node,
        seen: &BTreeMap<String, Span>,
    ) -> Option<(Sp<String>, Option<Window>)> {
        if !matches!(node.kind, Kind::Map(_)) {
            let problem =
                Problem::new("type", node.span, "a fault is a mapping").label("expected a mapping");
            self.problems.push(
                problem.help("Such as `{at: outage, region-loss: {region: us-west, how: power}}`"),
            );
            return None;
        }
        let others = kinds::other_keys(node, KEYS);
        let own =
            node.without(&others.iter().map(|(key, _)| key.text.as_str()).collect::<Vec<_>>());
        let raw = read_as::<grammar::Fault>(&own, self.problems)?;
        let family = Family::from(self.catalogs.faults);
        let [(key, value)] = others[..] else {
            self.not_one_kind(node, &others, &family);
            return None;
        };
        let id = raw.id.unwrap_or_else(|| {
            let same = seen
                .keys()
                .filter(|id| id.as_str() == key.text || id.starts_with(&format!("{}-", key.text)))
                .count();
            let name =
                if same == 0 { key.text.clone() } else { format!("{}-{}", key.text, same + 1) };
            Sp { value: name, span: key.span }
        });
        names::declared("fault", &id, self.problems);
        let opening = self.opening(raw.at.as_ref(), raw.when.as_ref(), node);
        let closing = self.closing(raw.lasts.as_ref(), opening.as_ref());
        let Some(kind) = family.find(&key.text) else {
            let mut problem = Problem::unknown(
                "fault kind or key",
                &key.text,
                key.span,
                family.names().chain(KEYS.iter().copied()),
            );
            problem.code = "key";
            self.problems.push(problem.help(format!(
                "Faults are {}",
                names::quoted(&family.names().collect::<Vec<_>>())
            )));
            return Some((id, None));
        };
        let (params, follow) = self.lift_follow(kind.name, value);
        let spec = kinds::params(kind, &params, &[], self.problems);
        let window = spec.and_then(|fault| {
            let make = self.catalogs.faults.find(kind.name)?.make;
            let living = make(&fault.params).ok()?;
            self.check(living.as_ref(), value, key.span);
            let deed = living.deed().to_owned();
            let (opening, closing) = (opening?, closing?);
            Some(Window {
                id: id.value.as_str().into(),
                fault,
                opening,
                closing,
                follow: follow || raw.follow.unwrap_or(false),
                deed,
            })
        });
        Some((id, window))
    }

    fn not_one_kind(&mut self, node: &Node, others: &[(&document::Key, &Node)], family: &Family) {
        let known = family.names().collect::<Vec<_>>();
        if others.is_empty() {
            let problem = Problem::new("missing", node.span, "this fault says when but not what")
                .label("no fault kind here");
            self.problems.push(problem.help(format!("Add one of {}", names::quoted(&known))));
            return;
        }
        let unknown: Vec<_> =
            others.iter().filter(|(key, _)| family.find(&key.text).is_none()).collect();
        for (key, _) in &unknown {
            let mut problem =
                Problem::unknown("key of a fault", &key.text, key.span, known.iter().chain(KEYS));
            problem.code = "key";
            self.problems.push(
                problem.help(format!(
                    "A fault has {} and exactly one fault kind",
                    names::quoted(KEYS)
                )),
            );
        }
        if others.len() - unknown.len() > 1 {
            let mut kinds = others.iter().filter(|(key, _)| family.find(&key.text).is_some());
            let (first, second) =
                (kinds.next().expect("two at least").0, kinds.next().expect("two at least").0);
            let problem = Problem::new("logic", second.span, "two fault kinds in one fault")
                .label("a second kind");
            self.problems.push(
                problem.note(first.span, "the first kind").help("Write each as a fault of its own"),
            );
        }
    }

    /// `follow: true` may stand among the targets; it belongs to the window, unless the kind has such a key itself.
    fn lift_follow(&mut self, kind: &str, params: &Node) -> (Node, bool) {
        let own = self
            .catalogs
            .faults
            .find(kind)
            .is_some_and(|kind| kinds::properties(&(kind.schema)()).contains(&"follow"));
        let Some(value) = params.at("follow").filter(|_| !own) else {
            return (params.clone(), false);
        };
        (params.without(&["follow"]), read_as(value, self.problems).unwrap_or(false))
    }

    fn phase(&mut self, name: &str, span: Span) -> Option<&Phase> {
        let declared = self.phases.iter().map(|phase| phase.name.as_str());
        names::known("phase", name, span, declared, self.problems);
        self.phases.iter().find(|phase| phase.name.as_str() == name)
    }

    fn opening(
        &mut self,
        at: Option<&Sp<String>>,
        when: Option<&Sp<grammar::When>>,
        node: &Node,
    ) -> Option<Opening> {
        match (at, when) {
            (Some(at), None) => self.moment(at).map(Opening::At),
            (None, Some(when)) => self.event(when),
            (Some(_), Some(when)) => {
                self.problems.push(
                    Problem::new("logic", when.span, "both `at` and `when`")
                        .label("keep one of them"),
                );
                None
            }
            (None, None) => {
                let first =
                    self.phases.get(2).map_or("fault", |phase| phase.name.as_str()).to_owned();
                names::missing("this fault", "at", node.span, &first, self.problems);
                None
            }
        }
    }

    /// `phase` or `phase + 3s`.
    fn moment(&mut self, at: &Sp<String>) -> Option<Duration> {
        let (name, offset) =
            at.split_once('+').map_or((at.as_str(), None), |(name, offset)| (name, Some(offset)));
        let part = |text: &str| {
            let start =
                at.span.start + (text.as_ptr() as usize - at.value.as_ptr() as usize) as u32;
            Span { start, end: start + text.len() as u32, ..at.span }
        };
        let raw = self.raw_span(at);
        let place = |text: &str| if raw { part(text) } else { at.span };
        let phase = self
            .phase(name.trim(), place(name.trim()))
            .map(|phase| (phase.start, phase.end.latest()));
        let offset = match offset.map(|text| (text.trim(), text.trim().parse::<Time>())) {
            None => Duration::ZERO,
            Some((_, Ok(time))) => time.0,
            Some((text, Err(why))) => {
                let (message, help) = why.split_once('\n').unwrap_or((&why, ""));
                self.problems.push(Problem::new("unit", place(text), message).help(help));
                return None;
            }
        };
        let (start, end) = phase?;
        if start + offset > end {
            let problem =
                Problem::new("range", at.span, "this moment lies behind the end of the phase")
                    .label("too late");
            self.problems.push(problem.help(format!(
                "The phase `{}` lasts {}",
                name.trim(),
                Time(end - start)
            )));
        }
        Some(start + offset)
    }

    /// Whether the text of a scalar stands in the file as it is, without quotes or escapes.
    fn raw_span(&self, text: &Sp<String>) -> bool {
        (text.span.end - text.span.start) as usize == text.value.len()
    }

    fn event(&mut self, when: &Sp<grammar::When>) -> Option<Opening> {
        let Some(event) = &when.event else {
            names::missing("`when`", "event", when.span, "role-changed", self.problems);
            return None;
        };
        let of = when.of.as_ref().map(|of| {
            let service = of.split('/').next().unwrap_or("");
            Sp { value: service.to_owned(), span: of.span }
        });
        let service = self.built.service(of.as_ref(), "when", when.span, self.problems);
        let shard = when.of.as_ref().and_then(|of| Some((of.split_once('/')?.1, of.span)));
        let within = match &when.within {
            None => Some((Duration::ZERO, self.phases.last()?.end.latest())),
            Some(name) => {
                self.phase(name, name.span).map(|phase| (phase.start, phase.end.latest()))
            }
        };
        let service = service?;
        let layout = self.layout(&service);
        let roles = layout.as_ref().map(|layout| layout.roles());
        if let (Some(role), Some(roles)) = (&when.role, roles) {
            names::known(
                "role",
                role,
                role.span,
                roles.iter().map(|role| role.name),
                self.problems,
            );
        }
        if let (Some((shard, span)), Some(layout)) = (shard, &layout) {
            let shards = layout.shards();
            names::known(
                "shard",
                shard,
                span,
                shards.iter().map(model::ShardId::as_str),
                self.problems,
            );
        }
        let shard = shard.map(|(shard, _)| shard.into());
        let event = match event.value {
            EventName::RoleChanged => EventPattern::RoleChanged {
                service,
                shard,
                role: match &when.role {
                    Some(role) => role.value.clone(),
                    None => roles?.iter().find(|role| role.kind.leads())?.name.to_owned(),
                },
            },
            EventName::ProcessExited => EventPattern::ProcessExited { service },
        };
        let (from, to) = within?;
        Some(Opening::When {
            event,
            from,
            to,
            after: when.after.map_or(Duration::ZERO, Into::into),
        })
    }

    fn layout(&self, service: &ServiceId) -> Option<Arc<dyn Layout>> {
        evidence::layout(self.catalogs, service, &self.built.services, &self.built.topology)
    }

    fn closing(&mut self, lasts: Option<&Sp<Lasts>>, opening: Option<&Opening>) -> Option<Closing> {
        let stop = self.phases.last().map(|phase| match phase.end {
            PhaseEnd::Quiesced { .. } => phase.start,
            PhaseEnd::At(end) => end,
        })?;
        match (lasts.map(|lasts| (&lasts.value, lasts.span)), opening) {
            (Some((Lasts::Phase(name), span)), _) => {
                let end = self.phase(name, span)?.end.latest().min(stop);
                if let Some(Opening::At(at)) = opening
                    && end <= *at
                {
                    self.problems.push(
                        Problem::new(
                            "range",
                            span,
                            format!("the phase `{name}` is over before the fault opens"),
                        )
                        .label("too early"),
                    );
                }
                Some(Closing::At(end))
            }
            (Some((Lasts::Time(time), span)), opening) => {
                if time.0.is_zero() {
                    self.problems.push(
                        Problem::new("range", span, "a fault of no length")
                            .label("longer than nothing")
                            .help("Write more than `0s`, or leave the fault out"),
                    );
                }
                match opening? {
                    Opening::At(at) => {
                        if *at + time.0 > stop {
                            let problem =
                                Problem::new("range", span, "the fault outlasts the traffic")
                                    .label("too long");
                            self.problems.push(problem.help(format!(
                                "Sending stops {} after this fault opens",
                                Time(stop.saturating_sub(*at))
                            )));
                        }
                        Some(Closing::At(*at + time.0))
                    }
                    Opening::When { .. } => Some(Closing::After(time.0)),
                }
            }
            (None, Some(Opening::At(at))) => {
                let phase = self.phases.iter().rev().find(|phase| phase.start <= *at)?;
                Some(Closing::At(phase.end.latest().min(stop)))
            }
            (None, Some(Opening::When { to, .. })) => Some(Closing::At((*to).min(stop))),
            (None, None) => None,
        }
    }

    /// Every name that the fault's targets use, whether anybody is hit at all, and the kind's own checks.
    fn check(&mut self, fault: &dyn Fault, params: &Node, at: Span) {
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
        for sentence in fault.check(topology) {
            let (message, help) = sentence
                .split_once('\n')
                .map_or((sentence.as_str(), None), |(message, help)| (message, Some(help)));
            let named = message.split('`').skip(1).step_by(2);
            let place = named.filter_map(|name| place_of(params, name)).next().unwrap_or(at);
            let problem = Problem::new("logic", place, message);
            self.problems.push(match help {
                Some(help) => problem.help(help),
                None => problem,
            });
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
            let place = place_of(params, name).unwrap_or(at);
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
        let place = |name: &str| place_of(params, name).unwrap_or(at);
        if let Some(name) = region {
            let declared = topology.regions.keys().map(RegionId::as_str);
            names::known("region", name.as_str(), place(name.as_str()), declared, self.problems);
        }
        if let Some(name) = fleet {
            let declared: BTreeSet<&str> = topology
                .cells
                .values()
                .filter_map(|cell| cell.fleet.as_ref().map(FleetId::as_str))
                .collect();
            names::known("fleet", name.as_str(), place(name.as_str()), declared, self.problems);
        }
    }

    fn node_target(&mut self, target: &NodeTarget, params: &Node, at: Span) {
        let topology = &self.built.topology;
        let NodeTarget { region, zone, service, node, shard, exclude, role, mode: _ } = target;
        let place = |name: &str| place_of(params, name).unwrap_or(at);
        let check = |what: &str, name: &str, declared: Vec<&str>, problems: &mut Problems| {
            names::known(what, name, place(name), declared, problems);
        };
        if let Some(name) = region {
            check(
                "region",
                name.as_str(),
                topology.regions.keys().map(RegionId::as_str).collect(),
                self.problems,
            );
        }
        if let Some(name) = zone {
            let zones = topology
                .regions
                .values()
                .flat_map(|region| region.zones.iter().map(model::ZoneId::as_str))
                .collect();
            check("zone", name.as_str(), zones, self.problems);
        }
        if let Some(name) = service {
            check("service", name.as_str(), self.built.service_names().collect(), self.problems);
        }
        let roles = evidence::roles(self.catalogs, service.as_ref(), self.built);
        if let (Some(name), Some(roles)) = (role, roles) {
            check("role", name, roles, self.problems);
        }
        for name in node.iter().chain(exclude) {
            check(
                "node",
                name.as_str(),
                topology.nodes.keys().map(model::NodeId::as_str).collect(),
                self.problems,
            );
        }
        if let (Some(name), Some(service)) =
            (shard, service.as_ref().or(self.built.services.keys().next()))
            && let Some(layout) = self.layout(service)
        {
            let shards = layout.shards();
            check(
                "shard",
                name.as_str(),
                shards.iter().map(model::ShardId::as_str).collect(),
                self.problems,
            );
        }
    }
}

/// Where a name stands among a fault's parameters: whole, or as a part of `service/shard`.
fn place_of(params: &Node, name: &str) -> Option<Span> {
    let whole = params.all().find(|node| node.text() == Some(name));
    let part = || {
        params
            .all()
            .find(|node| node.text().is_some_and(|text| text.split('/').any(|part| part == name)))
    };
    whole.or_else(part).map(|node| node.span)
}

/// When a window is surely closed, at the latest.
pub(crate) fn latest_close(window: &Window) -> Duration {
    window.closes_latest()
}

/// When a window can open at the earliest.
pub(crate) fn earliest_open(window: &Window) -> Duration {
    window.opens_earliest()
}

/// Percentiles may be gated in a phase that is measured, in which assets send, that no window touches, and that no window was closed just before:
/// a phase that follows one with a fault in it holds the recovery.
pub(crate) fn settle(phases: &mut [Phase], windows: &[Window]) {
    let touched: Vec<bool> = phases
        .iter()
        .map(|phase| {
            windows.iter().any(|window| {
                earliest_open(window) < phase.end.latest() && latest_close(window) > phase.start
            })
        })
        .collect();
    for (i, phase) in phases.iter_mut().enumerate() {
        let after_fault = i > 0 && touched[i - 1];
        let coming_back = matches!(phase.name.as_str(), "recovery" | "failback");
        let sends = !matches!(phase.end, PhaseEnd::Quiesced { .. });
        phase.steady = phase.measure && sends && !touched[i] && !after_fault && !coming_back;
    }
}
