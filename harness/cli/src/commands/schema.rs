//! `wetdress schema`: the JSON schema of scenarios, for editors.

use crate::{catalogs::catalogs, exit::Exit, say};

pub(crate) fn schema() -> Exit {
    say::json(&plan::schema(&catalogs()));
    Exit::Pass
}
