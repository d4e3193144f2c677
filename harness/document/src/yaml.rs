//! YAML text to a tree. The only file that knows the parser.
//!
//! The parser is granit-parser, the one that serde-saphyr is built on: we need the positions of valid keys and values and
//! whether a scalar was quoted, and serde-saphyr hands out both only for types that are known when it reads.
//! What a scenario has no use for is refused: several documents, tags, directives, keys that are not text, aliases that grow.

use std::collections::HashMap;

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
        names: vec![],
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
    builder.root
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
    /// Names of anchors seen, for "did you mean".
    names: Vec<String>,
    nodes: usize,
    root: Option<Node>,
}

/// A collection that is being read.
struct Open {
    anchor: usize,
    span: Span,
    flow: bool,
    kind: Kind,
    /// A key that waits for its value; the flag says that it is a merge key.
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
                self.charge(node.count(), span)?;
                let copy = node.copied(self.ids);
                self.anchors.insert(*anchor, (origin, node));
                self.put(Node { span, origin: Some(origin), ..copy })
            }
            Event::UnresolvedAlias(name) => {
                let name_only = Span { start: span.start + 1, ..span };
                let help = "An anchor `&name` must stand above its alias `*name`";
                self.problems
                    .push(Problem::unknown("anchor", name, name_only, &self.names).help(help));
                self.leave_out(span)
            }
            Event::Anchor(_, name) => {
                self.names.push(name.to_string());
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
        self.open.push(Open { anchor, span, flow: style == StructureStyle::Flow, kind, key: None });
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
            (Kind::Map(entries), Some(key)) => {
                match entries.iter().find(|old| old.key.text == key.text) {
                    Some(old) => self.problems.push(
                        Problem::new(
                            "duplicate",
                            key.span,
                            format!("the key `{}` stands twice in one mapping", key.text),
                        )
                        .label("again here")
                        .note(old.key.span, "first here")
                        .help("Keep one of them; a later one never overrides an earlier one"),
                    ),
                    None => entries.push(Entry { key, value: node }),
                }
            }
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

/// `<<: *other` lays the other mapping below this one.
fn merge_keys(entries: &mut Vec<Entry>) -> Step {
    while let Some(at) =
        entries.iter().position(|entry| entry.key.text == "<<" && !entry.key.quoted)
    {
        let merge = entries.remove(at);
        let parts = match merge.value.kind {
            Kind::Map(entries) => vec![entries],
            Kind::List(items) => items.into_iter().map(|item| item.entries().to_vec()).collect(),
            Kind::Scalar { .. } => {
                return stop(
                    Problem::new(
                        "syntax",
                        merge.value.span,
                        "`<<` merges a mapping, this is a single value",
                    )
                    .label("not a mapping"),
                );
            }
        };
        for entry in parts.into_iter().flatten() {
            if !entries.iter().any(|mine| mine.key.text == entry.key.text) {
                entries.push(entry);
            }
        }
    }
    Ok(())
}
