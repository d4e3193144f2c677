//! Each lane as a file of its own, for slides and wikis.

use std::io;

use crate::{Folder, Report, RunView, charts};

#[derive(Debug)]
pub(crate) struct Svg;

impl Report for Svg {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        for chart in charts::all(run) {
            out.put(&format!("charts/{}.svg", chart.name), chart.svg.as_bytes())?;
        }
        Ok(())
    }
}
