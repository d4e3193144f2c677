//! From text to Plan: reads, merges, and lets each section build its part.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use document::{Ids, Node, Problems, Sources, Sp, Span, read_as};
use model::{
    Plan,
    plan::{FORMAT, Gate, Safety, Source, Window},
    schedule::Draws,
};

use crate::{
    bounds, canonical, capacity,
    catalogs::Catalogs,
    feasibility, gates, grammar, kinds,
    mistakes::{First, Mistakes},
    names, observers, phases, secrets, services, stack,
    tracks::Clockwork,
    traffic, windows,
    written::written,
};

/// What to load.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub text: &'a str,
    /// Name of the file for messages; includes are looked up beside it.
    pub file: &'a str,
    /// Text and file of another stack to take instead: the same drill elsewhere.
    pub stack: Option<(&'a str, &'a str)>,
    /// Replaces the scenario's seed.
    pub seed: Option<u64>,
}

/// Reads and checks a scenario.
///
/// # Errors
/// Every mistake that was found, none of which hides another one where that can be helped.
pub fn load(text: &str, file: &str, catalogs: &Catalogs) -> Result<Plan, Mistakes> {
    load_input(&Input { text, file, stack: None, seed: None }, catalogs)
}

/// [`load`] with another stack or seed.
///
/// # Errors
/// As [`load`].
pub fn load_input(input: &Input<'_>, catalogs: &Catalogs) -> Result<Plan, Mistakes> {
    let mut reader = Reading::default();
    let root = reader.document(input);
    let plan = root.as_ref().and_then(|root| reader.plan(root, input, catalogs));
    reader.finish(plan, root.as_ref())
}

/// The merged document: includes followed, profiles laid under their fleets; as YAML text.
///
/// # Errors
/// Mistakes of form, of includes and of profiles; the sections are not read.
pub fn expand(input: &Input<'_>) -> Result<String, Mistakes> {
    let mut reader = Reading::default();
    let text = reader.document(input).map(|root| canonical::yaml(&root));
    reader.finish(text, None)
}

#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) sources: Sources,
    pub(crate) ids: Ids,
    pub(crate) problems: Problems,
}

impl Reading {
    fn finish<T>(self, made: Option<T>, root: Option<&Node>) -> Result<T, Mistakes> {
        let mut problems = First::of(self.problems);
        if let Some(root) = root {
            problems = problems.causes(root);
        }
        problems.each(kinds::later);
        match made {
            Some(made) if problems.is_empty() => Ok(made),
            _ => Err(Mistakes::new(self.sources, problems)),
        }
    }

    fn source(&self, root: &Node, input: &Input<'_>, windows: &[Window]) -> Source {
        Source {
            file: input.file.to_owned(),
            sha256: canonical::sha256(root),
            written: written(root, &self.sources, windows),
        }
    }

    fn plan(&mut self, root: &Node, input: &Input<'_>, catalogs: &Catalogs) -> Option<Plan> {
        let raw: grammar::Scenario = read_as(root, &mut self.problems)?;
        let problems = &mut self.problems;
        if !bounds::few_enough(&raw, root.span, problems) {
            return None;
        }
        sections(&raw, root, problems);
        let seed = input.seed.or(raw.seed).unwrap_or_else(|| {
            canonical::seed_of(raw.scenario.as_ref().map_or("", |name| &name.value))
        });
        let mut phases = phases::build(raw.phases.as_ref(), problems);
        let until = phases.last().map_or(Duration::ZERO, |phase| phase.end.latest());
        let clockwork = Clockwork { draws: Draws::of(seed), until };
        let stack = raw.stack.as_ref();
        let mut built = stack
            .map(|stack| stack::build(stack, root, catalogs, clockwork, problems))
            .unwrap_or_default();
        let traffic = raw.traffic.as_ref();
        let (mut cells, fleets, theta) =
            traffic::build(root, traffic, catalogs, clockwork, &phases, &mut built, problems);
        let threads = traffic.and_then(|traffic| NonZeroU32::new(*traffic.threads?));
        let fault_parts = raw.faults.unwrap_or_default();
        let hit: Vec<&str> = fault_parts
            .iter()
            .filter_map(|part| root.find(part.id))
            .flat_map(Node::all)
            .filter_map(Node::text)
            .collect();
        let mut observing =
            observers::Builder { root, catalogs, built: &mut built, cells: &mut cells, problems };
        let observers = observing.build(raw.observers.as_ref(), &hit, &fleets);
        let layouts = services::layouts(catalogs, &built.services, &built.topology);
        let windows =
            windows::Builder { catalogs, built: &built, layouts, phases: &phases, problems }
                .build(&fault_parts, root);
        phases::settle(&mut phases, &windows);
        let names = observers.keys().map(|name| name.as_str().to_owned()).collect();
        let mut gating = gates::Builder {
            catalogs,
            phases: &phases,
            observers: names,
            clock: built.clock,
            sources: &self.sources,
            ids: &mut self.ids,
            problems,
        };
        let gates = gating.build(&raw.gates.unwrap_or_default(), root);
        let reports = reports(raw.reports, catalogs, problems);
        let safety = raw.safety.unwrap_or_default();
        bounds::tolerable(safety.tolerates.regions, built.topology.regions.len(), problems);
        let services = built
            .services
            .into_iter()
            .filter_map(|(name, running)| Some((name, running.spec?)))
            .collect();
        let mut plan = Plan {
            format: FORMAT,
            seed,
            scenario: raw.scenario?.value,
            summary: raw.summary,
            source: self.source(root, input, &windows),
            lab: built.lab?,
            topology: built.topology,
            services,
            fleets,
            observers,
            theta,
            capacity: raw.traffic.as_ref().and_then(|traffic| traffic.capacity).map(Into::into),
            threads,
            phases,
            windows,
            safety: Safety {
                tolerates_regions: safety.tolerates.regions.map_or(1, |regions| regions.value),
                max_duration: safety.max_duration.map(|max| max.value.into()),
            },
            gates: gates.iter().map(|(gate, _)| gate.clone()).collect(),
            expected_failures: raw
                .expect
                .map(|expect| expected(expect, &gates, catalogs, &mut self.problems)),
            reports,
        };
        plan.source.written.secrets = secrets::settle(&mut plan, root, &self.sources, catalogs);
        if self.problems.is_empty() {
            let at = raw.traffic.map_or(root.span, |traffic| traffic.span);
            bounds::readings(capacity::readings(&plan), at, &mut self.problems);
            let max = safety.max_duration.map(|max| max.span);
            feasibility::refuse(&plan, &gates, max, catalogs, &mut self.problems);
        }
        Some(plan)
    }
}

/// Sections without which there is no plan.
fn sections(raw: &grammar::Scenario, root: &Node, problems: &mut Problems) {
    if let Some(name) = &raw.scenario {
        names::declared("scenario", name, problems);
    }
    for (key, example, is_missing) in [
        ("scenario", "lose-west", raw.scenario.is_none()),
        ("stack", "{regions: {...}, services: {...}}", raw.stack.is_none()),
        (
            "traffic",
            "{fleets: {terminals: {profile: user_terminal, assets: 300}}}",
            raw.traffic.is_none(),
        ),
    ] {
        if is_missing {
            names::missing("the scenario", key, root.span, example, problems);
        }
    }
}

/// The kinds of gates that are known to fail; each must be one that the drill has.
fn expected(
    raw: grammar::expect::Expect,
    gates: &[(Gate, Option<Span>)],
    catalogs: &Catalogs,
    problems: &mut Problems,
) -> Vec<String> {
    let written = gates.iter().map(|(gate, _)| gate.spec.kind.as_str());
    let kinds: BTreeSet<&str> =
        written.chain(catalogs.default_gates.iter().map(|(kind, _)| *kind)).collect();
    for gate in &raw.fails {
        names::known("gate", gate, gate.span, kinds.iter().copied(), problems);
    }
    raw.fails.into_iter().map(|gate| gate.value).collect()
}

fn reports(
    raw: Option<Vec<Sp<String>>>,
    catalogs: &Catalogs,
    problems: &mut Problems,
) -> Vec<String> {
    match raw {
        None => catalogs.reports.names().map(str::to_owned).collect(),
        Some(reports) => {
            for report in &reports {
                kinds::find(&catalogs.reports, report, report.span, problems);
            }
            reports.into_iter().map(|report| report.value).collect()
        }
    }
}
