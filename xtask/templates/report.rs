//! NAME: say here what it shows, and to whom.

use std::io;

use crate::{Folder, Report, RunView};

#[derive(Debug)]
pub(crate) struct TYPE;

impl Report for TYPE {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        out.put("NAME.txt", run.judgement.exit_reason.as_bytes())
    }
}
