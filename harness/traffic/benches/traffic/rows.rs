//! Rows, their goals, and how both are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What is judged should be this.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    ReportOnly,
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) unit: &'static str,
    /// Who was measured beside it in the same run, and with what figure.
    pub(crate) beside: Option<(String, f64)>,
    /// What the goal is about: the figure itself, or how it compares.
    pub(crate) judged: f64,
    pub(crate) goal: Goal,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        let (what, note) = (what.into(), String::new());
        Self { what, figure, unit, beside: None, judged: figure, goal: Goal::ReportOnly, note }
    }

    /// The ratio is what is judged.
    pub(crate) fn beside(self, name: &str, figure: f64) -> Self {
        let judged = self.figure / figure;
        Self { beside: Some((name.to_owned(), figure)), judged, ..self }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn verdict(&self) -> &'static str {
        let holds = match self.goal {
            Goal::AtMost(most) => self.judged <= most,
            Goal::AtLeast(least) => self.judged >= least,
            Goal::ReportOnly => return "report only",
        };
        if holds { "ok" } else { "missed" }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "what": self.what,
            "figure": self.figure,
            "unit": self.unit,
            "beside": self.beside.as_ref().map(|(name, figure)| json!({"name": name, "figure": figure})),
            "judged": self.judged,
            "goal": self.goal.to_string(),
            "verdict": self.verdict(),
            "note": self.note,
        })
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {}", short(*most)),
            Self::AtLeast(least) => write!(f, "at least {}", short(*least)),
            Self::ReportOnly => f.write_str("-"),
        }
    }
}

/// One line per row; `judged` is the ratio where somebody stands beside it.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut line = |cells: [&str; 6]| {
        let [what, figure, beside, judged, goal, rest] = cells;
        let _a_string_takes_everything =
            writeln!(out, "{what:<46} {figure:>16}  {beside:<24} {judged:>8}  {goal:<14} {rest}");
    };
    line(["figure", "", "beside", "judged", "goal", ""]);
    for row in rows {
        let beside = row.beside.as_ref();
        line([
            &row.what,
            &format!("{} {}", short(row.figure), row.unit),
            &beside.map_or(String::new(), |(name, figure)| format!("{name} {}", short(*figure))),
            &short(row.judged),
            &row.goal.to_string(),
            format!("{}  {}", row.verdict(), row.note).trim_end(),
        ]);
    }
    out
}

/// Three digits that mean something.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
