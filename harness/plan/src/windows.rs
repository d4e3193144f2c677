//! Faults with their opening and closing, and their targets checked against the stack.

mod targets;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use document::{Kind, Node, Part, Problem, Problems, Sp, Span, read_as, units::Time};
use model::{
    ServiceId, ShardId,
    plan::{Closing, EventPattern, Opening, Phase, PhaseEnd, PhaseKind, Target, Window},
};
use seams::Layout;

use crate::{
    built::Built,
    catalogs::{Catalogs, Family},
    grammar,
    grammar::{EventName, Lasts},
    kinds, names,
    services::Layouts,
};

/// Keys of a fault that are the engine's own.
const KEYS: &[&str] = &["id", "at", "for", "when", "follow"];

pub(crate) struct Builder<'a> {
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) built: &'a Built,
    pub(crate) layouts: Layouts,
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
        let follow = self.one_follow(raw.follow, follow);
        let spec = kinds::params(kind, &params, &[], self.problems);
        let window = spec.and_then(|fault| {
            let make = self.catalogs.faults.find(kind.name)?.make;
            let living = make(&fault.params).ok()?;
            self.check(living.as_ref(), value, key.span);
            self.follows_nothing(&living.targets(), follow);
            let deed = living.deed().to_owned();
            let (opening, closing) = (opening?, closing?);
            Some(Window {
                id: id.value.as_str().into(),
                fault,
                opening,
                closing,
                follow: follow.is_some_and(|follow| follow.value),
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
    fn lift_follow(&mut self, kind: &str, params: &Node) -> (Node, Option<Sp<bool>>) {
        let own = self
            .catalogs
            .faults
            .find(kind)
            .is_some_and(|kind| kinds::properties(&(kind.schema)()).contains(&"follow"));
        let Some(value) = params.at("follow").filter(|_| !own) else {
            return (params.clone(), None);
        };
        (params.without(&["follow"]), read_as(value, self.problems))
    }

    /// Beside the fault's kind, or below it.
    fn one_follow(
        &mut self,
        beside: Option<Sp<bool>>,
        below: Option<Sp<bool>>,
    ) -> Option<Sp<bool>> {
        if let (Some(beside), Some(below)) = (beside, below) {
            let problem = Problem::new("duplicate", beside.span, "`follow` is said twice")
                .label("beside the fault's kind");
            self.problems.push(problem.note(below.span, "and below it").help("Keep one of them"));
        }
        below.or(beside)
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
                let meant = self.phases.iter().find(|phase| phase.kind == PhaseKind::Fault);
                let first =
                    meant.or(self.phases.get(2)).map_or("fault", |phase| phase.name.as_str());
                let first = first.to_owned();
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
                self.problems.push(why.at(place(text)));
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
        if event.value == EventName::ProcessExited {
            self.unused_of_exit(when, shard.map(|(_, span)| span));
        }
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
            names::known("shard", shard, span, shards.iter().map(ShardId::as_str), self.problems);
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

    /// Words of `when` that say nothing about a process that ends.
    fn unused_of_exit(&mut self, when: &grammar::When, shard: Option<Span>) {
        let role = when.role.as_ref().map(|role| ("role", role.span));
        for (word, at) in role.into_iter().chain(shard.map(|span| ("shard", span))) {
            let message = format!("a {word} says nothing about a process that ends");
            let problem = Problem::new("logic", at, message).label("would not be looked at");
            self.problems.push(problem.help("Leave it out, or wait for the event `role-changed`"));
        }
    }

    /// A pick is made again when a role moves: without a role there is nothing to follow.
    fn follows_nothing(&mut self, targets: &[Target], follow: Option<Sp<bool>>) {
        let Some(Sp { span: at, .. }) = follow.filter(|follow| follow.value) else { return };
        let by_role =
            |target: &Target| matches!(target, Target::Nodes(words) if words.role.is_some());
        if !targets.iter().any(by_role) {
            let problem =
                Problem::new("logic", at, "`follow` without a target that is named by role")
                    .label("follows nothing");
            self.problems.push(problem.help("Leave it out, or name the target by its `role`"));
        }
    }

    fn layout(&self, service: &ServiceId) -> Option<Arc<dyn Layout>> {
        self.layouts.get(service).cloned()
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
            (Some((Lasts::Time(time), span)), opening) => match opening? {
                Opening::At(at) => {
                    if *at + time.0 > stop {
                        let problem = Problem::new("range", span, "the fault outlasts the traffic")
                            .label("too long");
                        self.problems.push(problem.help(format!(
                            "Sending stops {} after this fault opens",
                            Time(stop.saturating_sub(*at))
                        )));
                    }
                    Some(Closing::At(*at + time.0))
                }
                Opening::When { .. } => Some(Closing::After(time.0)),
            },
            (None, Some(Opening::At(at))) => {
                let phase = self.phases.iter().rev().find(|phase| phase.start <= *at)?;
                Some(Closing::At(phase.end.latest().min(stop)))
            }
            (None, Some(Opening::When { to, .. })) => Some(Closing::At((*to).min(stop))),
            (None, None) => None,
        }
    }
}

/// When a window is surely closed, at the latest.
pub(crate) fn latest_close(window: &Window) -> Duration {
    window.closes_latest()
}

/// When a window can open at the earliest.
pub(crate) fn earliest_open(window: &Window) -> Duration {
    window.opens_earliest()
}
