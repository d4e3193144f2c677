//! `wetdress report`: the reports of a stored run.

use std::path::Path;

use crate::{console, exit::Exit, judge};

/// The reports of the scenario, or these.
pub(crate) fn report(folder: &Path, formats: &[String]) -> Exit {
    let written = judge::judge(folder).and_then(|judged| {
        let formats = if formats.is_empty() { &judged.loaded.plan.reports } else { formats };
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
