//! `wetdress report`: the reports of a stored run.

use std::path::Path;

use crate::{console, exit::Exit, judge};

/// The reports of the scenario, or these.
pub(crate) fn report(folder: &Path, formats: &[String]) -> Exit {
    let unknown = formats.iter().find(|name| reports::CATALOG.find(name).is_none());
    if let Some(name) = unknown {
        console::error(&judge::unknown_report(name));
        return Exit::Usage;
    }
    let written = judge::judge_stored(folder).and_then(|judged| {
        let formats = if formats.is_empty() { &judged.loaded.plan.reports } else { formats };
        judged.stored.clone()?;
        judged.report(formats)?;
        console::talk(&format!("wrote {} in {}", formats.join(", "), folder.display()));
        Ok(())
    });
    match written {
        Ok(()) => Exit::Pass,
        Err(why) => {
            console::error(&why);
            Exit::BrokeOff
        }
    }
}
