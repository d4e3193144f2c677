//! YAML text to a tree. The only file that knows the parser.
//!
//! The parser is granit-parser, the one that serde-saphyr is built on: we need the positions of valid keys and values and
//! whether a scalar was quoted, and serde-saphyr hands out both only for types that are known when it reads.
//! What a scenario has no use for is refused: several documents, tags, directives, keys that are not text, aliases that grow.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::{Entry, Ids, Key, Kind, Node, Problem, Problems, SourceId, Span};

/// A document has at most this many values, copies by aliases included.
pub const NODES_MAX: usize = 50_000;
/// Lists and mappings nest at most this deep.
const DEPTH_MAX: usize = 64;

/// Reads one file. Appends what is wrong; None if no tree can be made. A duplicate key keeps its first value.
pub fn parse(text: &str, source: SourceId, ids: &mut Ids, problems: &mut Problems) -> Option<Node> {
    let mut options = granit_parser::options! {
        disallow_directives: true, emit_unresolved_aliases: true, emit_anchor_events: true,
        flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX,
    };
    options.set_emit_comments(false);
    let mut builder = Builder {
        source,
        ids,
        problems,
        open: vec![],
        anchors: HashMap::new(),
        named: vec![],
        nodes: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.take(&event, Span { source, ..bytes(&span) }),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
                let problem = Problem::new(
                    "syntax",
                    on_a_character(text, source, at),
                    sentence(&error.info()),
                );
                stop(problem.label("the text stops making sense here").help(hint(&text[..at])))
            }
        };
        if let Err(problem) = step {
            builder.problems.push(*problem);
            return None;
        }
    }
    builder.unused();
    let root = builder.root;
    root.iter().flat_map(Node::all).for_each(|list| repeated(list, problems));
    root
}

/// Every list of a scenario is a set, or in an order in which nothing can stand twice: what does has no effect.
fn repeated(list: &Node, problems: &mut Problems) {
    let mut seen: HashMap<String, Span> = HashMap::new();
    for item in list.items() {
        let mut content = String::new();
        item.write_content(&mut content);
        if let Some(first) = seen.insert(content, item.span) {
            let problem =
                Problem::new("duplicate", item.span, "the same item stands twice in one list");
            problems.push(
                problem
                    .label("again here")
                    .note(first, "first here")
                    .help("Leave it out; it would have no effect"),
            );
            return;
        }
    }
}

fn bytes(span: &granit_parser::Span) -> Span {
    let offset = |marker: &granit_parser::Marker| {
        marker.byte_offset().and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
    };
    let (start, end) = (offset(&span.start), offset(&span.end));
    Span { source: SourceId(0), start, end: end.max(start) }
}

/// A place to point at near a byte: the character there, or an empty span at the end.
fn on_a_character(text: &str, source: SourceId, at: usize) -> Span {
    let start = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let width = text[start..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    Span { source, start: start as u32, end: (start + width) as u32 }
}

/// What is most often behind it.
fn hint(before: &str) -> &'static str {
    match before.rsplit('\n').next().unwrap_or("") {
        line if line.contains('\t') => "Indent with spaces, never with tabs",
        line if line.contains(": ") => {
            "A text that holds `: ` or ` #` needs quotes; brackets, braces and quotes need their other half"
        }
        _ => {
            "Look for a missing `:`, another indentation than the lines above, or a bracket, brace or quote without its other half"
        }
    }
}

fn sentence(text: &str) -> String {
    format!("not readable as YAML: {text}")
}

struct Builder<'a> {
    source: SourceId,
    ids: &'a mut Ids,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, (Span, Node)>,
    named: Vec<Named>,
    nodes: usize,
    root: Option<Node>,
}

/// An anchor of the text.
struct Named {
    id: usize,
    name: String,
    span: Span,
    used: bool,
}

/// A collection that is being read.
struct Open {
    anchor: usize,
    span: Span,
    flow: bool,
    kind: Kind,
    /// Keys that stand in a mapping already, and where.
    keys: HashMap<String, Span>,
    /// A key that waits for its value.
    key: Option<Key>,
}

type Step = Result<(), Box<Problem>>;

fn stop(problem: Problem) -> Step {
    Err(Box::new(problem))
}

impl Builder<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Step {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), span)?;
                refuse_controls(text, span)?;
                let quoted = *style != ScalarStyle::Plain;
                let kind = Kind::Scalar { text: text.to_string(), quoted };
                let node = Node { id: self.ids.fresh(), span, origin: None, kind };
                self.remember(*anchor, span, &node);
                self.put(node)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.begin(Kind::List(vec![]), *style, *anchor, tag.is_some(), span)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.begin(Kind::Map(vec![]), *style, *anchor, tag.is_some(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let Some((origin, node)) = self.anchors.remove(anchor) else {
                    return stop(
                        Problem::new(
                            "syntax",
                            span,
                            "an alias inside the very value that it names",
                        )
                        .label("this would never end"),
                    );
                };
                self.named
                    .iter_mut()
                    .filter(|named| named.id == *anchor)
                    .for_each(|n| n.used = true);
                self.charge(node.count(), span)?;
                let copy = node.copied(self.ids);
                self.anchors.insert(*anchor, (origin, node));
                self.put(Node { span, origin: Some(origin), ..copy })
            }
            Event::UnresolvedAlias(name) => {
                let name_only = Span { start: span.start + 1, ..span };
                let help = "An anchor `&name` must stand above its alias `*name`";
                let known = self.named.iter().map(|named| &named.name);
                let problem = Problem::unknown("anchor", name, name_only, known).help(help);
                // One of them was meant.
                self.named.iter_mut().for_each(|named| named.used = true);
                self.problems.push(problem);
                self.leave_out(span)
            }
            Event::Anchor(id, name) => {
                self.name(*id, name, span);
                Ok(())
            }
            Event::DocumentStart(..) if self.root.is_some() => stop(
                Problem::new("syntax", span, "a second document in one file")
                    .label("begins here")
                    .help("Put it into a file of its own and `include` it"),
            ),
            _ => Ok(()),
        }
    }

    fn name(&mut self, id: usize, name: &str, span: Span) {
        if let Some(first) = self.named.iter_mut().find(|named| named.name == name) {
            let message = format!("two anchors are called `{name}`");
            let problem = Problem::new("duplicate", span, message).label("again here");
            let help = "An alias would mean the one that happens to stand above it";
            self.problems.push(problem.note(first.span, "first here").help(help));
            first.used = true;
        }
        let used = self.named.iter().any(|named| named.name == name);
        self.named.push(Named { id, name: name.to_owned(), span, used });
    }

    /// An anchor that no alias uses is a slip: what it names was meant to stand at a second place.
    fn unused(&mut self) {
        for Named { name, span, .. } in self.named.iter().filter(|named| !named.used) {
            let problem =
                Problem::new("logic", *span, format!("the anchor `{name}` is never used"));
            let help = format!("Use it as `*{name}`, or leave it out");
            self.problems.push(problem.label("no alias means it").help(help));
        }
    }

    /// Counts nodes against the budget, so that a few aliases cannot grow without end.
    fn charge(&mut self, nodes: usize, span: Span) -> Step {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values, aliases expanded");
            return stop(
                Problem::new("syntax", span, message)
                    .label("too many from here on")
                    .help("Use fewer aliases of aliases"),
            );
        }
        Ok(())
    }

    fn begin(
        &mut self,
        kind: Kind,
        style: StructureStyle,
        anchor: usize,
        tagged: bool,
        span: Span,
    ) -> Step {
        refuse_tag(tagged, span)?;
        if self.open.len() >= DEPTH_MAX {
            return stop(
                Problem::new(
                    "syntax",
                    span,
                    format!("lists and mappings nested deeper than {DEPTH_MAX}"),
                )
                .label("too deep"),
            );
        }
        let span = Span { end: span.end.max(span.start + 1), ..span };
        self.open.push(Open {
            anchor,
            span,
            flow: style == StructureStyle::Flow,
            kind,
            keys: HashMap::new(),
            key: None,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Step {
        let open = self.open.pop().expect("the parser closes only what it opened");
        let whole = Span {
            source: self.source,
            start: open.span.start,
            end: if open.flow { span.end } else { open.span.end },
        };
        let mut kind = open.kind;
        let mut mark = whole;
        if let Kind::Map(entries) = &mut kind {
            merge_keys(entries)?;
            if let (false, Some(first)) = (open.flow, entries.first()) {
                mark = first.key.span;
            }
        }
        let node = Node { id: self.ids.fresh(), span: mark, origin: None, kind };
        self.remember(open.anchor, mark, &node);
        self.put(node)
    }

    fn remember(&mut self, anchor: usize, span: Span, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, (span, node.clone()));
        }
    }

    /// A value that cannot be had: its key goes too.
    fn leave_out(&mut self, span: Span) -> Step {
        let Some(Open { kind: Kind::Map(_), key, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        match key.take() {
            Some(_) => Ok(()),
            None => stop(Problem::new("syntax", span, "an unknown alias as a key")),
        }
    }

    /// A finished node goes to where it belongs: the root, a list, a key or its value.
    fn put(&mut self, node: Node) -> Step {
        if node.origin.is_none() {
            self.charge(1, node.span)?;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some(key)) => match open.keys.get(&key.text) {
                Some(first) => self.problems.push(
                    Problem::new(
                        "duplicate",
                        key.span,
                        format!("the key `{}` stands twice in one mapping", key.text),
                    )
                    .label("again here")
                    .note(*first, "first here")
                    .help("Keep one of them; a later one never overrides an earlier one"),
                ),
                None => {
                    open.keys.insert(key.text.clone(), key.span);
                    entries.push(Entry { key, value: node });
                }
            },
            (Kind::Map(_), None) => {
                let Kind::Scalar { text, quoted } = node.kind else {
                    return stop(
                        Problem::new("syntax", node.span, "a list or mapping as a key")
                            .label("keys are words"),
                    );
                };
                open.key = Some(Key { id: node.id, span: node.span, text, quoted });
            }
            (Kind::Scalar { .. }, _) => unreachable!("a scalar is never open"),
        }
        Ok(())
    }
}

fn refuse_tag(tagged: bool, span: Span) -> Step {
    if tagged {
        return stop(
            Problem::new("syntax", span, "a YAML tag")
                .label("tagged with `!`")
                .help("Scenarios need no tags; quotes make a text of anything"),
        );
    }
    Ok(())
}

/// Characters that terminals, file names and reports would take for something else, however they were written.
fn refuse_controls(text: &str, span: Span) -> Step {
    let control = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
    match text.chars().find(control) {
        Some(c) => stop(
            Problem::new("syntax", span, format!("the control character U+{:04X}", u32::from(c)))
                .label("holds a character that cannot be shown")
                .help("Leave it out; of all control characters only line breaks and tabs are text"),
        ),
        None => Ok(()),
    }
}

/// `<<: *other` lays the other mapping below this one.
fn merge_keys(entries: &mut Vec<Entry>) -> Step {
    let is_merge = |entry: &Entry| entry.key.text == "<<" && !entry.key.quoted;
    let Some(at) = entries.iter().position(is_merge) else { return Ok(()) };
    let Entry { key, value } = entries.remove(at);
    let (at, parts) = match value.kind {
        Kind::List(items) => (value.span, items),
        Kind::Scalar { .. } | Kind::Map(_) => (value.span, vec![value]),
    };
    if parts.is_empty() {
        return stop(nothing_merged(at));
    }
    let mut keys: HashSet<String> = entries.iter().map(|entry| entry.key.text.clone()).collect();
    for part in parts {
        let span = part.span;
        match part.kind {
            Kind::Map(others) if others.is_empty() => return stop(nothing_merged(span)),
            Kind::Map(others) => {
                entries
                    .extend(others.into_iter().filter(|entry| keys.insert(entry.key.text.clone())));
            }
            Kind::Scalar { .. } | Kind::List(_) => {
                let problem =
                    Problem::new("syntax", span, "`<<` merges mappings, and this is none")
                        .label("not a mapping")
                        .note(key.span, "merged here");
                return stop(problem.help("Write `<<: *name`, where `&name` stands at a mapping"));
            }
        }
    }
    Ok(())
}

fn nothing_merged(at: Span) -> Problem {
    Problem::new("syntax", at, "`<<` merges nothing")
        .label("empty")
        .help("Name a mapping, `<<: *name`, or leave it out")
}
