//! Floor 3: ways to show a run, one file each. A report sees the run folder only: plan, events, findings, verdicts, logs.
//!
//! * `view`: what reports see, and where they write
//! * `terminal`: the last screen
//! * `html`: one self-contained page
//! * `json`: everything as data
//! * `junit`: a test case per gate
//! * `svg`: each chart as a file
//! * `charts`: charts on one time axis
//! * `headline`: the first line
//! * `honesty`: what the harness says of itself
//! * `figures`: a run in one line of a table
//! * `format`: figures for people
//!
//! Absent on purpose: every figure (room `findings`), and the terminal itself (room `cli`).

pub mod charts;
mod figures;
mod format;
mod headline;
mod honesty;
mod html;
mod json;
mod junit;
mod svg;
mod terminal;
mod view;

use std::{fmt, io};

use schemars::JsonSchema;
use seams::{Catalog, Kind};
use serde::{Deserialize, Serialize};

pub use figures::{Figures, markdown_table};
pub use terminal::summary;
pub use view::{Folder, RunView};

/// One way to show a run.
pub trait Report: fmt::Debug + Sync {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()>;
}

/// Reports have no parameters yet.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plain {}

const fn report(
    name: &'static str,
    about: &'static str,
    make: &'static dyn Report,
) -> Kind<&'static dyn Report> {
    Kind::new::<Plain>(name, about, "{}", make)
}

/// Every report kind, one line each.
pub static CATALOG: Catalog<&'static dyn Report> = Catalog {
    noun: "report",
    kinds: &[
        report("html", "report.html: one self-contained page.", &html::Html),
        report(
            "json",
            "report.json: verdict, gates with their evidence, every finding.",
            &json::Json,
        ),
        report("junit", "junit.xml: a case per gate, its figures as properties.", &junit::JUnit),
        report(
            "svg",
            "charts/*.svg: timeline, availability, latency and rate, all on one time axis.",
            &svg::Svg,
        ),
        report(
            "terminal",
            "The summary that a run ends with, kept as summary.txt.",
            &terminal::Terminal,
        ),
    ],
};
