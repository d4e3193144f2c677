//! Data to stdout, talk to stderr. NO_COLOR and pipes get plain text.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program talks")]

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

pub(crate) fn talk(words: &str) {
    anstream::eprintln!("{words}");
}

pub(crate) fn error(words: &str) {
    let red: Style = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{red}error{red:#}: {words}");
}

pub(crate) fn styled(text: &str) {
    anstream::print!("{text}");
}

pub(crate) fn data(text: &str) {
    // Whoever reads may have seen enough, as `head` does.
    let _closed_pipe = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
}

pub(crate) fn json(value: &Value) {
    data(&serde_json::to_string_pretty(value).expect("a JSON value is plain data"));
}
