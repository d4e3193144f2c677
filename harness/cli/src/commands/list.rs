//! `wetdress list`: every kind of this build.

use serde_json::json;

use crate::{catalogs::catalogs, console, exit::Exit};

pub(crate) fn list(as_json: bool) -> Result<Exit, Exit> {
    let kinds = plan::list(&catalogs());
    if as_json {
        console::json(
            &kinds
                .iter()
                .map(|(noun, name, about)| json!({"noun": noun, "name": name, "about": about}))
                .collect(),
        )?;
        return Ok(Exit::Pass);
    }
    let width = kinds.iter().map(|(_, name, _)| name.len()).max().unwrap_or(0);
    let mut last = "";
    for (noun, name, about) in kinds {
        if noun != last {
            console::data(&format!("{noun}s"))?;
            last = noun;
        }
        console::data(&format!("  {name:width$}  {about}"))?;
    }
    Ok(Exit::Pass)
}
