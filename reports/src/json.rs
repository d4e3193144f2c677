//! Everything as data.

use std::io;

use serde::Serialize;

use crate::{Folder, Report, RunView};

#[derive(Debug)]
pub(crate) struct Json;

#[derive(Serialize)]
struct Document<'a> {
    /// Version of this form.
    format: u32,
    scenario: &'a str,
    seed: u64,
    judgement: &'a findings::Verdicts,
    findings: &'a findings::Findings,
}

impl Report for Json {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        let document = Document {
            format: 1,
            scenario: &run.plan().scenario,
            seed: run.plan().seed,
            judgement: run.judgement,
            findings: run.findings,
        };
        out.put("report.json", &serde_json::to_vec_pretty(&document)?)
    }
}
