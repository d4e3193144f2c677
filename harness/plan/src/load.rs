//! From text to Plan: reads, merges, and lets each section build its part.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use document::{Entry, Ids, Kind, Node, Problem, Problems, Sources, Sp, Span, parse, read_as};
use model::{
    Plan,
    plan::{FORMAT, Safety, Source, Window},
    schedule::Draws,
};

use crate::{
    addresses, canonical,
    catalogs::Catalogs,
    feasibility, fleets, gates, grammar, kinds,
    mistakes::Mistakes,
    names, observers, phases, stack,
    tracks::{self, Clockwork},
    windows,
    written::written,
};

/// Includes of includes go at most this deep.
const INCLUDES_MAX: usize = 8;
/// Availability deadline unless the scenario names one.
const THETA: Duration = Duration::from_secs(1);

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
    let plan = reader.document(input).and_then(|root| {
        let plan = reader.plan(&root, input, catalogs);
        names::drop_what_follows(&root, &mut reader.problems);
        plan
    });
    reader.finish(plan)
}

/// The merged document: includes followed, profiles laid under their fleets; as YAML text.
///
/// # Errors
/// Mistakes of form, of includes and of profiles; the sections are not read.
pub fn expand(input: &Input<'_>) -> Result<String, Mistakes> {
    let mut reader = Reading::default();
    let text = reader.document(input).map(|root| canonical::yaml(&root));
    reader.finish(text)
}

#[derive(Default)]
struct Reading {
    sources: Sources,
    ids: Ids,
    problems: Problems,
}

impl Reading {
    fn finish<T>(mut self, made: Option<T>) -> Result<T, Mistakes> {
        self.problems.iter_mut().for_each(kinds::later);
        match made {
            Some(made) if self.problems.is_empty() => Ok(made),
            _ => Err(Mistakes::new(self.sources, self.problems)),
        }
    }

    /// One tree of everything that the scenario is made of.
    fn document(&mut self, input: &Input<'_>) -> Option<Node> {
        let mut root = self.file(input.text, Path::new(input.file), &mut vec![])?;
        if let Some((text, file)) = input.stack {
            let other = self.file(text, Path::new(file), &mut vec![])?;
            let stack = other.entry("stack").cloned();
            if stack.is_none() {
                names::missing(
                    "this file",
                    "stack",
                    other.span,
                    "{lab: local, regions: {...}, services: {...}}",
                    &mut self.problems,
                );
            }
            root = replaced(root, stack);
        }
        Some(self.with_profiles(root))
    }

    /// A file with its includes below it.
    fn file(&mut self, text: &str, path: &Path, above: &mut Vec<PathBuf>) -> Option<Node> {
        let source = self.sources.add(path.display().to_string(), text);
        let before = self.problems.len();
        let Some(mut own) = parse(text, source, &mut self.ids, &mut self.problems) else {
            if self.problems.len() == before {
                let start = Span { source, start: 0, end: 0 };
                let problem = Problem::new("type", start, "the file holds nothing");
                self.problems.push(problem.label("empty").help("Begin with `scenario: name`"));
            }
            return None;
        };
        if !matches!(own.kind, Kind::Map(_)) {
            let problem = Problem::new("type", own.span, "a scenario is a mapping")
                .label("expected `key: value` lines");
            self.problems.push(problem.help("Begin with `scenario: name`"));
            return None;
        }
        let includes = own.at("include").map(|list| (list.items().to_vec(), list.span));
        if let Some((items, span)) = &includes
            && items.is_empty()
        {
            self.problems.push(
                Problem::new("type", *span, "`include` is a list of files")
                    .label("expected a list")
                    .help("Write `include: [file.yaml]`"),
            );
        }
        ways(&mut own).into_iter().for_each(|way| self.with_tables(way, path));
        above.push(path.to_owned());
        let mut merged: Option<Node> = None;
        for item in includes.into_iter().flat_map(|(items, _)| items) {
            let Some(below) = self.include(&item, path, above) else { continue };
            merged = Some(match merged {
                Some(before) => before.merged(below),
                None => below,
            });
        }
        above.pop();
        let own = own.without(&["include"]);
        Some(match merged {
            Some(below) => below.merged(own),
            None => own,
        })
    }

    fn include(&mut self, item: &Node, from: &Path, above: &mut Vec<PathBuf>) -> Option<Node> {
        let Some(name) = item.text() else {
            self.problems.push(
                Problem::new("type", item.span, "an include is the name of a file")
                    .label("expected a file"),
            );
            return None;
        };
        let path = from.parent().unwrap_or(Path::new("")).join(name);
        if above.contains(&path) || above.len() >= INCLUDES_MAX {
            self.problems.push(
                Problem::new("logic", item.span, "includes that go round in a circle, or too deep")
                    .label("included before"),
            );
            return None;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => self.file(&text, &path, above),
            Err(error) => {
                let message =
                    format!("the included file `{}` cannot be read: {error}", path.display());
                let problem = Problem::new("name", item.span, message).label("not readable");
                self.problems.push(problem.help("Names are relative to the file that includes"));
                None
            }
        }
    }

    /// Puts the rows of the files that a way names in their place: what they say is checked, hashed and expanded with the rest.
    fn with_tables(&mut self, way: &mut Node, from: &Path) {
        for form in &tracks::TABLES {
            let Some(value) = below(way, form.key) else { continue };
            let (Some(name), span) = (value.text().map(str::to_owned), value.span) else {
                if matches!(&value.kind, Kind::List(rows) if rows.is_empty()) {
                    self.problems.push(form.no_rows(value.span));
                }
                continue;
            };
            let path = from.parent().unwrap_or(Path::new("")).join(&name);
            let table = match std::fs::read_to_string(&path) {
                Ok(text) => {
                    let source = self.sources.add(path.display().to_string(), text.as_str());
                    tracks::table::read(
                        form,
                        &text,
                        source,
                        span,
                        &mut self.ids,
                        &mut self.problems,
                    )
                }
                Err(error) => {
                    let message = format!("the file `{}` cannot be read: {error}", path.display());
                    let problem = Problem::new("name", span, message).label("not readable");
                    self.problems
                        .push(problem.help("Names are relative to the file that they stand in"));
                    None
                }
            };
            *value = table.unwrap_or(Node {
                id: value.id,
                span,
                origin: None,
                kind: Kind::List(vec![]),
            });
        }
    }

    /// Lays each fleet over its profile.
    fn with_profiles(&mut self, mut root: Node) -> Node {
        let source = self.sources.add("profiles of this build", fleets::PROFILES);
        let Some(fleets) = below(&mut root, "traffic").and_then(|traffic| below(traffic, "fleets"))
        else {
            return root;
        };
        if let Kind::Map(entries) = &mut fleets.kind {
            for entry in entries {
                entry.value =
                    fleets::with_profile(&entry.value, source, &mut self.ids, &mut self.problems);
            }
        }
        root
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
        let (mut cells, fleets, theta) =
            traffic(root, raw.traffic.as_ref(), catalogs, clockwork, &mut built, problems);
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
        let windows = windows::Builder { catalogs, built: &built, phases: &phases, problems }
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
        let services = built
            .services
            .into_iter()
            .filter_map(|(name, running)| Some((name, running.spec?)))
            .collect();
        let name = raw.scenario?.value;
        let plan = Plan {
            format: FORMAT,
            seed,
            scenario: name,
            summary: raw.summary,
            source: self.source(root, input, &windows),
            lab: built.lab?,
            topology: built.topology,
            services,
            fleets,
            observers,
            theta,
            phases,
            windows,
            safety: Safety {
                tolerates_regions: safety.tolerates.regions.unwrap_or(1),
                max_duration: safety.max_duration.map(|max| max.value.into()),
            },
            gates: gates.iter().map(|(gate, _)| gate.clone()).collect(),
            reports,
        };
        if self.problems.is_empty() {
            let max = safety.max_duration.map(|max| max.span);
            feasibility::refuse(&plan, &gates, max, catalogs, &mut self.problems);
        }
        Some(plan)
    }
}

type Fleets = BTreeMap<model::FleetId, model::plan::Fleet>;

fn traffic(
    root: &Node,
    raw: Option<&Sp<grammar::Traffic>>,
    catalogs: &Catalogs,
    clockwork: Clockwork,
    built: &mut crate::built::Built,
    problems: &mut Problems,
) -> (addresses::Cells, Fleets, Duration) {
    let Some(raw) = raw else { return Default::default() };
    let theta = raw.deadline.map_or(THETA, |deadline| deadline.value.0);
    if theta.is_zero() {
        problems.push(
            Problem::new(
                "range",
                raw.deadline.map_or(raw.span, |deadline| deadline.span),
                "a deadline of no time",
            )
            .label("longer than nothing"),
        );
    }
    let (cells, fleets) = (addresses::Cells::default(), Fleets::new());
    let mut builder =
        fleets::Builder { catalogs, built, cells, clockwork, fleets, next: 0, problems };
    match raw.fleets.as_ref().and_then(|part| root.find(part.id)) {
        Some(fleets) if !fleets.entries().is_empty() => {
            for entry in fleets.entries() {
                builder.fleet(
                    &Sp { value: entry.key.text.clone(), span: entry.key.span },
                    &entry.value,
                );
            }
        }
        _ => names::missing(
            "`traffic`",
            "fleets",
            raw.span,
            "{terminals: {profile: user_terminal, assets: 300}}",
            builder.problems,
        ),
    }
    if let Some(probe) = &raw.probe {
        builder.probe(probe);
    }
    (builder.cells, builder.fleets, theta)
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

/// The ways of a file: links between regions and access links.
fn ways(root: &mut Node) -> Vec<&mut Node> {
    let Kind::Map(entries) = &mut root.kind else { return vec![] };
    let mut found = vec![];
    for entry in entries {
        match entry.key.text.as_str() {
            "stack" => found.extend(below(&mut entry.value, "links").into_iter().flat_map(values)),
            "traffic" => found.extend(
                below(&mut entry.value, "fleets")
                    .into_iter()
                    .flat_map(values)
                    .filter_map(|fleet| below(fleet, "access")),
            ),
            _ => {}
        }
    }
    found
}

fn values(node: &mut Node) -> impl Iterator<Item = &mut Node> {
    let entries =
        if let Kind::Map(entries) = &mut node.kind { entries.as_mut_slice() } else { &mut [] };
    entries.iter_mut().map(|entry| &mut entry.value)
}

fn below<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.kind {
        Kind::Map(entries) => {
            entries.iter_mut().find(|entry| entry.key.text == key).map(|entry| &mut entry.value)
        }
        _ => None,
    }
}

fn replaced(mut root: Node, entry: Option<Entry>) -> Node {
    if let (Kind::Map(entries), Some(entry)) = (&mut root.kind, entry) {
        entries.retain(|old| old.key.text != entry.key.text);
        entries.push(entry);
    }
    root
}
