//! Why a value cannot be what it is written as, as data, on its way through serde.
//!
//! serde hands on no more of a type's own error than its text. So a complaint lies beside serde's call for as long as that call lasts:
//! the deserializer of this room takes the complaint from there, every other deserializer shows its text.

use std::{cell::RefCell, fmt};

use serde::de;

use crate::{Problem, Span};

/// What is wrong with a value, and what to do. The texts are whole sentences without a full stop, names in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What sort of mistake, in the words of [`Problem::code`].
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

thread_local! {
    static RAISED: RefCell<Option<Complaint>> = const { RefCell::new(None) };
}

impl Complaint {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// The complaint about the text of this span.
    pub fn at(self, span: Span) -> Problem {
        let Self { code, message, help } = self;
        Problem { help, ..Problem::new(code, span, message) }
    }

    /// The complaint as an error of whichever deserializer reads the value.
    pub fn raise<E: de::Error>(self) -> E {
        let text = self.to_string();
        RAISED.set(Some(self));
        let error = E::custom(text);
        RAISED.take();
        error
    }

    /// The complaint that is being raised right now.
    pub(crate) fn raised() -> Option<Self> {
        RAISED.take()
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Complaint {}
