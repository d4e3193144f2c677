//! `wetdress judge`: the verdict of a stored run.

use std::path::Path;

use crate::{args::Judging, exit::Exit, judge, say};

pub(crate) fn judge(folder: &Path, judging: Judging) -> Exit {
    match judge::judge(folder) {
        Err(why) => {
            say::error(&why);
            Exit::BrokeOff
        }
        Ok(judged) => {
            say::styled(&reports::summary(&judged.view()));
            judged.exit(judging)
        }
    }
}
