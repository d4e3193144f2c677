//! `wetdress judge`: the verdict of a stored run.

use std::path::Path;

use crate::{args::Judging, console, exit::Exit, judge};

pub(crate) fn judge(folder: &Path, judging: Judging) -> Result<Exit, Exit> {
    let judged = judge::judge_stored(folder).map_err(|why| {
        console::error(&why);
        Exit::BrokeOff
    })?;
    // The verdict was asked for; that it cannot be kept, as in an archive, makes it no other one.
    if let Err(why) = &judged.stored {
        console::error(why);
    }
    console::styled(&reports::summary(&judged.view()))?;
    Ok(judged.exit(judging))
}
