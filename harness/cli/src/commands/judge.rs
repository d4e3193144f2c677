//! `wetdress judge`: the verdict of a stored run.

use std::path::Path;

use crate::{args::Judging, console, exit::Exit, judge};

pub(crate) fn judge(folder: &Path, judging: Judging) -> Exit {
    match judge::judge(folder) {
        Err(why) => {
            console::error(&why);
            Exit::BrokeOff
        }
        Ok(judged) => {
            console::styled(&reports::summary(&judged.view()));
            judged.exit(judging)
        }
    }
}
