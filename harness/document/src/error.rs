//! What goes wrong while a type reads a node, before it becomes a [`Problem`].

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::{Complaint, Problem, Span};

/// The first mistake that stopped a type. It is located by the innermost value that was being read.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) what: What,
    pub(super) at: Option<At>,
}

/// Where a mistake stands, and the node or key that is left out when reading goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) id: u32,
    pub(super) span: Span,
    pub(super) origin: Option<Span>,
    /// It only follows from a mistake that was told before.
    pub(super) silent: bool,
}

#[derive(Debug)]
pub(super) enum What {
    /// Said by a type that knows nothing of this room.
    Custom(String),
    Complaint(Complaint),
    Type {
        found: String,
        /// Whether a text was found that would be a number without its quotes.
        quoted_number: bool,
        wanted: String,
    },
    UnknownKey {
        found: String,
        known: &'static [&'static str],
    },
    UnknownName {
        found: String,
        known: &'static [&'static str],
    },
    Missing(&'static str),
    /// Made by this room, ready to show but for its place.
    Ready(Box<Problem>),
}

impl Error {
    fn new(what: What) -> Self {
        Self { what, at: None }
    }

    pub(super) fn ready(problem: Problem) -> Self {
        Self::new(What::Ready(Box::new(problem)))
    }

    /// The problem to show. `owner` is the key under which the value stands.
    pub(super) fn into_problem(self, at: At) -> Problem {
        let problem = match self.what {
            What::Ready(problem) => *problem,
            What::Type { found, quoted_number, wanted } => {
                Problem::new("type", at.span, format!("{found} where {wanted} belongs"))
                    .label(format!("expected {wanted}"))
                    .help(format!(
                        "Write {wanted}{}",
                        if quoted_number { ", without quotes" } else { "" }
                    ))
            }
            What::UnknownKey { found, known } => {
                Problem { code: "key", ..Problem::unknown("key", &found, at.span, known) }
                    .help(format!("Keys here are {}", listed(known)))
            }
            What::UnknownName { found, known } => Problem::unknown("name", &found, at.span, known)
                .help(format!("It is one of {}", listed(known))),
            What::Missing(key) => Problem {
                missing: Some(key.to_owned()),
                ..Problem::new("missing", at.span, format!("`{key}` is missing"))
                    .label("here")
                    .help(format!("Add `{key}: ...`"))
            },
            What::Custom(text) => Problem::new("range", at.span, text),
            What::Complaint(complaint) => complaint.at(at.span),
        };
        match at.origin {
            Some(origin) => problem.note(origin, "the value comes from here"),
            None => problem,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(match Complaint::raised() {
            Some(complaint) => What::Complaint(complaint),
            None => What::Custom(text.to_string()),
        })
    }
    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let quoted_number = matches!(found, Unexpected::Str(text) if text.parse::<f64>().is_ok());
        Self::new(What::Type {
            found: found_in_words(found),
            quoted_number,
            wanted: wanted_in_words(wanted),
        })
    }
    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }
    fn invalid_length(length: usize, wanted: &dyn Expected) -> Self {
        Self::new(What::Type {
            found: format!("{length} items"),
            quoted_number: false,
            wanted: wanted_in_words(wanted),
        })
    }
    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownName { found: found.to_owned(), known })
    }
    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey { found: found.to_owned(), known })
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing(key))
    }
}

fn found_in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value}`"),
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a mapping".into(),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        other => other.to_string(),
    }
}

/// serde names types of Rust; a person who writes YAML wants to know what to write.
fn wanted_in_words(wanted: &dyn Expected) -> String {
    let text = wanted.to_string();
    let whole = |low: i128, high: i128| format!("a whole number from {low} to {high}");
    match text.as_str() {
        "u8" => whole(0, u8::MAX.into()),
        "u16" => whole(0, u16::MAX.into()),
        "u32" => whole(0, u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or more".into(),
        "a nonzero u8" => whole(1, u8::MAX.into()),
        "a nonzero u16" => whole(1, u16::MAX.into()),
        "a nonzero u32" => whole(1, u32::MAX.into()),
        "a nonzero u64" => "a whole number, 1 or more".into(),
        "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a string" => "text".into(),
        "a boolean" => "`true` or `false`".into(),
        "a sequence" => "a list".into(),
        "a map" => "a mapping".into(),
        other if other.starts_with("struct ") => "a mapping".into(),
        other if other.contains("enum ") || other == "variant identifier" => {
            "one of the known names".into()
        }
        other => other.to_owned(),
    }
}

/// `a`, `b`, `c`.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
