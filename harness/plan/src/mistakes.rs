//! Mistakes as messages: each with file, line and column, the place underlined, and what to do.

use std::fmt;

use annotate_snippets::{
    AnnotationKind, Group, Level, Patch, Renderer, Snippet, renderer::DecorStyle,
};
use document::{Node, Problem, Problems, Sources, Span};
use seams::secure::Secret;
use serde::Serialize;

use crate::{bounds::MISTAKES_MAX, names};

/// Everything wrong with a scenario, in the order of the file. Never empty.
#[derive(Clone, Debug)]
pub struct Mistakes {
    sources: Sources,
    problems: Problems,
    /// Mistakes that are not told.
    more: usize,
}

/// The mistakes that stand first, in the order of the files.
#[derive(Debug)]
pub(crate) struct First {
    problems: Problems,
    more: usize,
}

impl First {
    pub(crate) fn of(mut problems: Problems) -> Self {
        problems.sort_by_key(|problem| problem.span);
        problems
            .dedup_by(|later, first| later.span == first.span && later.message == first.message);
        let more = problems.len().saturating_sub(MISTAKES_MAX);
        problems.truncate(MISTAKES_MAX);
        Self { problems, more }
    }

    /// What is told of each may be said better.
    pub(crate) fn each(&mut self, better: impl FnMut(&mut Problem)) {
        self.problems.iter_mut().for_each(better);
    }

    /// Without those that only follow from others.
    pub(crate) fn causes(mut self, root: &Node) -> Self {
        names::drop_what_follows(root, &mut self.problems);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One mistake for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    pub code: &'static str,
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub message: String,
    pub help: Option<String>,
    /// Names that were meant, perhaps.
    pub meant: Vec<String>,
}

impl Mistakes {
    pub(crate) fn new(mut sources: Sources, problems: First) -> Self {
        let First { problems, more } = problems;
        for written_out in problems.iter().filter(|problem| problem.code == Secret::FORMAT) {
            sources.hide(written_out.span);
        }
        let problems = problems.into_iter().map(Problem::cut).collect();
        Self { sources, problems, more }
    }

    /// All of them, those that are not told included.
    pub fn count(&self) -> usize {
        self.problems.len() + self.more
    }

    /// As text for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Unicode);
        let messages = self.problems.iter().map(|problem| renderer.render(&self.report(problem)));
        let mut text: Vec<String> = messages.collect();
        let many = match self.count() {
            1 => "1 mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        let more = match self.more {
            0 => String::new(),
            more => format!(", of which {more} more are not shown"),
        };
        text.push(format!("{many}{more}; nothing was started\n"));
        text.join("\n\n")
    }

    /// As data.
    pub fn list(&self) -> Vec<Mistake> {
        self.problems.iter().map(|problem| self.mistake(problem)).collect()
    }

    fn mistake(&self, problem: &Problem) -> Mistake {
        let (line, column) = self.sources.position(problem.span);
        Mistake {
            code: problem.code,
            file: self.sources.file(problem.span.source).name.clone(),
            line,
            column,
            message: problem.message.clone(),
            help: problem.help.clone(),
            meant: problem.meant().into_iter().map(str::to_owned).collect(),
        }
    }

    fn report<'a>(&'a self, problem: &'a Problem) -> Vec<Group<'a>> {
        let mut snippet = self.snippet(problem.span).annotation(
            AnnotationKind::Primary.span(self.visible(problem.span)).label(&*problem.label),
        );
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            problem.notes.iter().partition(|(span, _)| span.source == problem.span.source);
        for (span, text) in here {
            snippet = snippet
                .annotation(AnnotationKind::Context.span(self.visible(*span)).label(&**text));
        }
        let mut group =
            Level::ERROR.primary_title(&*problem.message).id(problem.code).element(snippet);
        for (span, text) in elsewhere {
            group = group.element(
                self.snippet(*span)
                    .annotation(AnnotationKind::Context.span(self.visible(*span)).label(&**text)),
            );
        }
        let meant = problem.meant();
        let patch = match (&problem.patch, meant.as_slice()) {
            (Some((span, text)), _) => Some(("write it as text".to_owned(), *span, text.clone())),
            (None, [one]) => Some((
                format!("did you mean `{one}`?"),
                problem.span,
                self.quoted_as(problem.span, one),
            )),
            _ => None,
        };
        let offered = (patch.is_none() && meant.len() > 1).then(|| {
            let names: Vec<String> = meant.iter().map(|name| format!("`{name}`")).collect();
            format!("did you mean {}?", names.join(" or "))
        });
        for text in offered.into_iter().chain(problem.help.clone()) {
            group = group.element(Level::HELP.message(text));
        }
        let fix = patch.map(|(title, span, text)| {
            Level::HELP.secondary_title(title).element(
                Snippet::source(&*self.sources.file(span.source).text)
                    .patch(Patch::new(span.range(), text)),
            )
        });
        std::iter::once(group).chain(fix).collect()
    }

    /// The name in the same quotes as the text that it replaces.
    fn quoted_as(&self, span: Span, name: &str) -> String {
        match self.sources.text(span).chars().next() {
            Some(quote @ ('"' | '\'')) => format!("{quote}{name}{quote}"),
            _ => name.to_owned(),
        }
    }

    fn snippet(&self, span: Span) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let file = self.sources.file(span.source);
        Snippet::source(&*file.text).path(&*file.name)
    }

    /// What to underline: at least one column, and never more than the first line of the place.
    fn visible(&self, span: Span) -> std::ops::Range<usize> {
        let text = &self.sources.file(span.source).text;
        let start = (span.start as usize).min(text.len());
        let end = (span.end as usize).clamp(start, text.len());
        let first_line = text[start..end].find('\n').map_or(end, |at| start + at);
        start..first_line
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}
