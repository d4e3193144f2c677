//! Secrets that a plan names: whether they are there, told before anything starts. What they hold is read again where it is used.

use model::{Plan, plan::WrittenSecret};
use seams::secure::Secret;

use crate::{console, exit::Exit};

/// # Errors
/// One of them cannot be read; that is told, and this is the exit code.
pub(crate) fn are_there(plan: &Plan) -> Result<(), Exit> {
    let missing = plan.source.written.secrets.iter().filter_map(missing);
    match &missing.collect::<Vec<_>>()[..] {
        [] => Ok(()),
        lines => {
            console::error(&format!(
                "secrets that the scenario names are not here:\n  {}\nNothing was started",
                lines.join("\n  ")
            ));
            Err(Exit::NotUp)
        }
    }
}

fn missing(WrittenSecret { at, secret }: &WrittenSecret) -> Option<String> {
    let secret: Secret = serde_json::from_value(secret.clone()).ok()?;
    let why = secret.read().err()?;
    Some(format!("{at}: {why}"))
}
