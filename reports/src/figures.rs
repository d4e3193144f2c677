//! A run in one line of a table of many.

use std::fmt::Write;

use findings::Verdict;
use serde::{Deserialize, Serialize};

use crate::{
    RunView,
    format::{amount, moment},
    headline::headline,
};

/// What one looks for first when several runs stand side by side, as words. `-` is said of what the scenario has no gate for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Services with the versions that they told: `locks: etcd 3.6.5`.
    pub servers: Vec<String>,
    /// Of the run, with the gates that failed: `fail, as expected: acked_lost`.
    pub verdict: String,
    /// What the gate `rto` observed.
    pub rto: String,
    /// What the gate `rto.service` observed.
    pub rto_service: String,
    /// Longest time without an ack, of the worst asset, from intended times.
    pub longest_outage: String,
    /// `12 of 12 410`: readings that were acked and are gone, of all that were acked.
    pub acked_lost: String,
    /// The first line of the last screen.
    pub headline: String,
}

impl Figures {
    pub fn of(run: &RunView<'_>) -> Self {
        let of_gate = |kind: &str| {
            let gate = run.judgement.gates.iter().find(|gate| gate.kind == kind);
            gate.map_or("-", |gate| gate.observed.as_str()).to_owned()
        };
        let findings = run.findings;
        Self {
            servers: run.servers().map(|(name, version)| format!("{name}: {version}")).collect(),
            verdict: verdict(run),
            rto: of_gate("rto"),
            rto_service: of_gate("rto.service"),
            longest_outage: moment(findings.longest_outage.all.max),
            acked_lost: format!(
                "{} of {}",
                amount(findings.loss.count),
                amount(findings.loss.acked)
            ),
            headline: headline(run),
        }
    }
}

fn verdict(run: &RunView<'_>) -> String {
    let judgement = run.judgement;
    let word = match judgement.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive | Verdict::NotApplicable => "inconclusive",
    };
    let failed = judgement.gates.iter().filter(|gate| gate.verdict == Verdict::Fail);
    let failed: Vec<&str> = failed.map(|gate| gate.name.as_str()).collect();
    let expected = judgement.expected.as_ref();
    match (&failed[..], expected.map(|expected| expected.came_out)) {
        ([], None | Some(Verdict::Pass)) => word.to_owned(),
        ([], Some(_)) => format!("{word}, not as expected"),
        (failed, Some(Verdict::Pass)) => format!("{word}, as expected: {}", failed.join(", ")),
        (failed, _) => format!("{word}: {}", failed.join(", ")),
    }
}

/// A Markdown table whose columns are also straight where nobody renders it.
pub fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let head: Vec<String> = head.iter().map(|text| cell(text)).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(&rows).filter_map(|row| row.get(column));
        cells.map(|text| text.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = String::new();
    for row in [&head, &rule].into_iter().chain(&rows) {
        for (cell, width) in row.iter().zip(&widths) {
            write!(text, "| {cell:width$} ").expect("a string takes everything");
        }
        text.push_str("|\n");
    }
    text
}

#[test]
fn a_table_is_straight_and_no_cell_breaks_it() {
    let rows = vec![vec!["a|b".to_owned(), "1".to_owned()], vec!["c".to_owned(), "é".to_owned()]];
    let table = markdown_table(&["scenario", "n"], &rows);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[2], "| a\\|b     | 1   |");
    let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
}
