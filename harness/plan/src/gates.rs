//! What must hold: gates of the file, and those that every drill has.

use std::time::Duration;

use document::{Ids, Kind, Node, Part, Problem, Problems, Sources, Span, units::Time};
use model::{
    KindSpec,
    plan::{Gate, Phase},
};

use crate::{
    catalogs::{Catalogs, Known},
    kinds, names,
};

pub(crate) struct Builder<'a> {
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) phases: &'a [Phase],
    pub(crate) observers: Vec<String>,
    /// The longest clock of any way; a gate that knows a `clock` and names none is judged by it.
    pub(crate) clock: Option<Duration>,
    pub(crate) sources: &'a Sources,
    pub(crate) ids: &'a mut Ids,
    pub(crate) problems: &'a mut Problems,
}

/// A gate and where its name stands; None for a default one.
pub(crate) type Placed = (Gate, Option<Span>);

impl Builder<'_> {
    pub(crate) fn build(&mut self, parts: &[Part], root: &Node) -> Vec<Placed> {
        let mut gates: Vec<Placed> = vec![];
        for node in parts.iter().filter_map(|part| root.find(part.id)) {
            gates.extend(self.gate(node));
        }
        let given: Vec<String> = gates.iter().map(|(gate, _)| gate.name.clone()).collect();
        for (name, params) in &self.catalogs.default_gates {
            if !given.iter().any(|given| given == name) {
                let spec = KindSpec { kind: (*name).to_owned(), params: params.clone() };
                gates.push((Gate { name: (*name).to_owned(), spec, line: 0 }, None));
            }
        }
        gates
    }

    fn gate(&mut self, node: &Node) -> Option<Placed> {
        let [entry] = node.entries() else {
            let problem = Problem::new("type", node.span, "a gate is a mapping of one key")
                .label("expected one gate");
            self.problems.push(
                problem.help("Such as `- rto: {max: 60s}`; write each gate as an item of its own"),
            );
            return None;
        };
        let kind =
            *kinds::find(&self.catalogs.gates, &entry.key.text, entry.key.span, self.problems)?;
        let value = self.full(&kind, &entry.value);
        let value = self.clocked(&kind, value);
        self.check_names(&value);
        let spec = kinds::params(&kind, &value, &[], self.problems)?;
        self.can_fail(&spec, value.at("max"));
        let (line, _) = self.sources.position(entry.key.span);
        Some((Gate { name: entry.key.text.clone(), spec, line }, Some(entry.key.span)))
    }

    /// Nothing can last longer than the drill does.
    fn can_fail(&mut self, spec: &KindSpec, max: Option<&Node>) {
        let (Some(last), Some(max)) = (self.phases.last(), max) else { return };
        let limit = spec.params.get("max").and_then(|max| max.as_str()?.parse::<Time>().ok());
        let longest = Time(last.end.latest());
        if limit.is_some_and(|limit| limit > longest) {
            let message = format!("`{}` cannot fail: the drill lasts at most {longest}", spec.kind);
            let problem = Problem::new("logic", max.span, message).label("longer than the drill");
            self.problems.push(problem.help("Write less, or make the phases longer"));
        }
    }

    /// A scalar gate is its limit.
    fn full(&mut self, kind: &Known, value: &Node) -> Node {
        let Kind::Scalar { .. } = value.kind else { return value.clone() };
        let schema = (kind.schema)();
        let keys = kinds::properties(&schema);
        let limit = if keys.contains(&"max") { "max" } else { "min" };
        value.clone().under(limit, self.ids)
    }

    /// Gates take clocks of whole seconds: one with a fraction, such as that of `repeat: 1500ms`, is rounded up.
    fn clocked(&mut self, kind: &Known, value: Node) -> Node {
        let Some(clock) = self.clock else { return value };
        let clock = Duration::from_secs(clock.as_secs() + u64::from(clock.subsec_nanos() > 0));
        let schema = (kind.schema)();
        if value.at("clock").is_some() || !kinds::properties(&schema).contains(&"clock") {
            return value;
        }
        let scalar = Kind::Scalar { text: Time(clock).to_string(), quoted: false };
        let text = Node { id: self.ids.fresh(), span: value.span, origin: None, kind: scalar };
        text.under("clock", self.ids).merged(value)
    }

    /// Words that mean the same in every gate: `during` and `after` are phases, `observer` is an observer.
    fn check_names(&mut self, params: &Node) {
        let phases = || self.phases.iter().map(|phase| phase.name.as_str());
        for key in ["during", "after"] {
            let value = params.at(key);
            let scalars =
                value.into_iter().flat_map(|value| std::iter::once(value).chain(value.items()));
            for (name, span) in scalars.filter_map(|value| Some((value.text()?, value.span))) {
                names::known("phase", name, span, phases(), self.problems);
            }
        }
        if let Some((name, span)) =
            params.at("observer").and_then(|value| Some((value.text()?, value.span)))
        {
            names::known(
                "observer",
                name,
                span,
                self.observers.iter().map(String::as_str),
                self.problems,
            );
        }
    }
}
