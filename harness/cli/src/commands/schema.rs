//! `wetdress schema`: the JSON schema of scenarios, for editors.

use crate::{catalogs::catalogs, console, exit::Exit};

pub(crate) fn schema() -> Result<Exit, Exit> {
    console::json(&plan::schema(&catalogs()))?;
    Ok(Exit::Pass)
}
