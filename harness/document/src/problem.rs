//! One mistake of a document, as data.

use super::Span;

/// A mistake and where it stands. The texts are whole sentences without a full stop, names in backticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What sort of mistake: `syntax`, `duplicate`, `key`, `name`, `type`, `unit`, `range`, `missing`, `trap`, `version`, `logic`.
    pub code: &'static str,
    pub message: String,
    pub span: Span,
    /// A few words under the span.
    pub label: String,
    /// Other places that matter, such as where a name is declared.
    pub notes: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
    /// Text to put in place of a span.
    pub patch: Option<(Span, String)>,
    /// A name that is not known, with those that are.
    pub unknown: Option<Unknown>,
    /// A key that must be there and is not.
    pub missing: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    pub found: String,
    pub known: Vec<String>,
}

/// Every mistake found so far.
pub type Problems = Vec<Problem>;

/// Longer quoted values are cut.
const QUOTED_MAX: usize = 80;
/// What is shown of them at each end.
const SHOWN: usize = 30;
/// At most this many names are offered as meant.
const OFFERED_MAX: usize = 4;

impl Problem {
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            label: String::new(),
            notes: vec![],
            help: None,
            patch: None,
            unknown: None,
            missing: None,
        }
    }

    /// A name that stands for nothing, `what` being the sort of name, such as `region`.
    pub fn unknown<T: AsRef<str>>(
        what: &str,
        found: &str,
        span: Span,
        known: impl IntoIterator<Item = T>,
    ) -> Self {
        let known = known.into_iter().map(|name| name.as_ref().to_owned()).collect();
        let mut problem = Self::new("name", span, format!("unknown {what} `{found}`"))
            .label(format!("no such {what}"));
        problem.unknown = Some(Unknown { found: found.to_owned(), known });
        problem
    }

    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    #[must_use]
    pub fn note(mut self, span: Span, text: impl Into<String>) -> Self {
        self.notes.push((span, text.into()));
        self
    }

    #[must_use]
    pub fn patch(mut self, span: Span, text: impl Into<String>) -> Self {
        self.patch = Some((span, text.into()));
        self
    }

    /// The same with quoted values cut to what a reader needs of them.
    #[must_use]
    pub fn cut(self) -> Self {
        Self {
            message: cut(&self.message),
            label: cut(&self.label),
            help: self.help.as_deref().map(cut),
            notes: self.notes.into_iter().map(|(span, text)| (span, cut(&text))).collect(),
            ..self
        }
    }

    /// Names that would have been good here too.
    pub fn know_also(&mut self, names: &[&str]) {
        if let Some(unknown) = &mut self.unknown {
            unknown.known.extend(names.iter().map(|name| (*name).to_owned()));
        }
    }

    /// Known names that are close to the one found, the closest first.
    pub fn meant(&self) -> Vec<&str> {
        self.unknown.as_ref().map(Unknown::meant).unwrap_or_default()
    }
}

/// A text whose pieces in backticks are short.
fn cut(text: &str) -> String {
    if text.len() <= QUOTED_MAX {
        return text.to_owned();
    }
    // Every other piece stands between two backticks.
    let short = |(number, piece): (usize, &str)| {
        let all: Vec<char> = piece.chars().collect();
        match number % 2 == 1 && all.len() > QUOTED_MAX {
            true => all[..SHOWN].iter().chain(&['…']).chain(&all[all.len() - SHOWN..]).collect(),
            false => piece.to_owned(),
        }
    };
    let pieces: Vec<String> = text.split('`').enumerate().map(short).collect();
    pieces.join("`")
}

impl Unknown {
    /// The known names at the smallest distance, if that is small for a name of this length. One transposition counts as one edit.
    pub fn meant(&self) -> Vec<&str> {
        if self.found.len() > QUOTED_MAX {
            return vec![];
        }
        let folded = self.found.to_lowercase().replace('_', "-");
        let distance = |name: &String| {
            strsim::damerau_levenshtein(&folded, &name.to_lowercase().replace('_', "-"))
        };
        let mut close: Vec<(usize, &str)> =
            self.known.iter().map(|name| (distance(name), name.as_str())).collect();
        close.sort_unstable();
        close.dedup();
        let limit = (self.found.chars().count() / 3).max(1);
        let best = close.first().map_or(usize::MAX, |(distance, _)| *distance);
        let near =
            close.into_iter().take_while(|(distance, _)| *distance == best && *distance <= limit);
        near.map(|(_, name)| name).take(OFFERED_MAX).collect()
    }
}
