//! `wetdress schema`: the JSON schema of scenarios, for editors.

use crate::{catalogs::catalogs, console, exit::Exit};

pub(crate) fn schema() -> Exit {
    console::json(&plan::schema(&catalogs()));
    Exit::Pass
}
