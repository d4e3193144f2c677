//! Reading a scenario from the command line: its mistakes are told once, all of them.

use std::path::Path;

use model::Plan;
use plan::Input;

use crate::{args, catalogs::catalogs, console, exit::Exit};

pub(crate) struct Read {
    pub(crate) plan: Plan,
    pub(crate) text: String,
}

pub(crate) fn read(args: &args::Scenario, color: bool) -> Result<Read, Exit> {
    read_file(&args.file, &args.reading, color)
}

pub(crate) fn read_file(file: &Path, how: &args::Reading, color: bool) -> Result<Read, Exit> {
    let text = text_of(file)?;
    with_input(file, how, &text, |input| plan::load_input(input, &catalogs()), color)
        .map(|plan| Read { plan, text: text.clone() })
}

/// The merged document.
pub(crate) fn expanded(args: &args::Scenario, color: bool) -> Result<String, Exit> {
    let text = text_of(&args.file)?;
    with_input(&args.file, &args.reading, &text, plan::expand, color)
}

fn with_input<T>(
    file: &Path,
    how: &args::Reading,
    text: &str,
    load: impl FnOnce(&Input<'_>) -> Result<T, plan::Mistakes>,
    color: bool,
) -> Result<T, Exit> {
    let file = file.display().to_string();
    let stack = match &how.stack {
        Some(path) => Some((text_of(path)?, path.display().to_string())),
        None => None,
    };
    let stack = stack.as_ref().map(|(text, file)| (text.as_str(), file.as_str()));
    load(&Input { text, file: &file, stack, seed: how.seed }).map_err(|mistakes| {
        if how.json {
            let told = console::json(&serde_json::json!({"mistakes": mistakes.list()}));
            return told.err().unwrap_or(Exit::Mistakes);
        }
        console::talk(mistakes.render(color).trim_end());
        Exit::Mistakes
    })
}

/// The text of a file, or a message that says what to do.
fn text_of(path: &Path) -> Result<String, Exit> {
    plan::read_text(path).map_err(|error| {
        console::error(&format!("failed to read {}: {error}", path.display()));
        match error {
            plan::Unreadable::Io(_) => Exit::Usage,
            plan::Unreadable::Content(_) => Exit::Mistakes,
        }
    })
}
