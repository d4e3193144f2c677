//! `wetdress explain`: the documentation of a kind, or of all.

use std::{fs, path::Path};

use crate::{catalogs::catalogs, console, exit::Exit};

pub(crate) fn explain(kind: Option<&str>, all: bool, into: Option<&Path>) -> Result<Exit, Exit> {
    let catalogs = catalogs();
    if let Some(folder) = into {
        return Ok(write_reference(folder, &plan::reference(&catalogs)));
    }
    if all {
        plan::reference(&catalogs).iter().try_for_each(|(_, page)| console::data(page))?;
        return Ok(Exit::Pass);
    }
    let Some(kind) = kind else {
        console::error(
            "which kind? `wetdress list` shows them all, `wetdress explain partition` documents one",
        );
        return Ok(Exit::Usage);
    };
    Ok(match plan::explain(kind, &catalogs) {
        Some(text) => {
            console::data(&text)?;
            Exit::Pass
        }
        None => {
            console::error(&format!(
                "there is no kind `{kind}` in this build; `wetdress list` shows them all"
            ));
            Exit::Usage
        }
    })
}

/// The pages of docs/reference.
fn write_reference(folder: &Path, pages: &[(String, String)]) -> Exit {
    let written = fs::create_dir_all(folder).and_then(|()| {
        pages.iter().try_for_each(|(file, text)| fs::write(folder.join(file), text))
    });
    match written {
        Ok(()) => Exit::Pass,
        Err(error) => {
            console::error(&format!("failed to write to {}: {error}", folder.display()));
            Exit::Usage
        }
    }
}
