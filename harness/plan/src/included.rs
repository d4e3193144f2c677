//! What a scenario is made of, as one tree: its file, what that includes, tables that ways name, profiles of fleets.

use std::path::{Path, PathBuf};

use document::{Entry, Kind, Node, Problem, Span, parse};

use crate::{
    bounds::FILES_MAX,
    files::{read_table, read_text, too_long},
    fleets,
    load::{Input, Reading},
    names, tracks,
};

/// Includes of includes go at most this deep.
const INCLUDES_MAX: usize = 8;
/// What every scenario needs.
const NEEDS: &str = "A scenario needs `scenario: name`, a `stack` and `traffic`; `scenarios/first.yaml` is one to begin with";

impl Reading {
    /// One tree of everything that the scenario is made of.
    pub(crate) fn document(&mut self, input: &Input<'_>) -> Option<Node> {
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
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let why = too_long(text);
        let source =
            self.sources.add(path.display().to_string(), if why.is_some() { "" } else { text });
        let start = Span { source, start: 0, end: 0 };
        if let Some(why) = why {
            self.problems.push(Problem::new("range", start, why).help("A scenario is a few pages"));
            return None;
        }
        let before = self.problems.len();
        let Some(mut own) = parse(text, source, &mut self.ids, &mut self.problems) else {
            if self.problems.len() == before {
                let problem = Problem::new("type", start, "the file is empty");
                self.problems.push(problem.label("nothing but comments here").help(NEEDS));
            }
            return None;
        };
        if !matches!(own.kind, Kind::Map(_)) {
            let problem = Problem::new("type", own.span, "a scenario is a mapping")
                .label("expected `key: value` lines");
            self.problems.push(problem.help(NEEDS));
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
        if self.sources.count() >= FILES_MAX {
            let problem = Problem::new("range", item.span, format!("more than {FILES_MAX} files"));
            self.problems.push(problem.label("one too many"));
            return None;
        }
        if above.contains(&path) || above.len() >= INCLUDES_MAX {
            self.problems.push(
                Problem::new("logic", item.span, "includes that go round in a circle, or too deep")
                    .label("included before"),
            );
            return None;
        }
        match read_text(&path) {
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
            let table = match read_table(&path) {
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
