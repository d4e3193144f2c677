//! Rows, their goals, and how both are shown.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::figures::{median, spread};

/// Rounds that differ by more than this decide nothing.
const NOISY: f64 = 0.25;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Off by at most this much from 1.
    Within(f64),
    /// Anything else is a broken promise, on any machine.
    Never,
    ReportOnly,
}

/// The goals of one figure: on free cores, and on two that everything shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goals {
    pub(crate) free: Goal,
    pub(crate) two_cores: Goal,
}

impl Goals {
    pub(crate) const REPORT: Self = Self::both(Goal::ReportOnly);

    pub(crate) const fn both(goal: Goal) -> Self {
        Self { free: goal, two_cores: goal }
    }
}

/// One figure of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) rounds: Vec<f64>,
    /// The same of the peer, round by round.
    pub(crate) peer: Option<(&'static str, Vec<f64>)>,
    /// What the goal is about: the median, the ratio to the peer, or what is added to it.
    pub(crate) figure: f64,
    pub(crate) kind: Kind,
    /// How much the rounds differ; None where they are no repetitions of each other.
    pub(crate) spread: Option<f64>,
    /// The rounds differ too much to decide anything, or the machine was busy with something else.
    pub(crate) noisy: bool,
    pub(crate) goals: Goals,
    pub(crate) note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Ratio,
    Added,
}

impl Row {
    pub(crate) fn plain(
        name: impl Into<String>,
        unit: &'static str,
        rounds: Vec<f64>,
        goals: Goals,
    ) -> Self {
        let (figure, spread) = (median(&rounds), spread(&rounds));
        let (name, noisy) = (name.into(), spread > NOISY);
        Self {
            name,
            unit,
            rounds,
            peer: None,
            figure,
            kind: Kind::Plain,
            spread: Some(spread),
            noisy,
            goals,
            note: String::new(),
        }
    }

    /// How far off something exact is: the worst of all rounds, which are no repetitions of each other.
    pub(crate) fn deviation(
        name: impl Into<String>,
        unit: &'static str,
        rounds: Vec<f64>,
        goals: Goals,
    ) -> Self {
        let worst = rounds.iter().fold(0.0, |worst: f64, round| worst.max(round.abs()));
        Self { figure: worst, spread: None, noisy: false, ..Self::plain(name, unit, rounds, goals) }
    }

    /// Figures over the same figures of a peer, measured next to each other.
    pub(crate) fn ratio(
        name: impl Into<String>,
        unit: &'static str,
        of: [Vec<f64>; 2],
        peer: &'static str,
        goals: Goals,
    ) -> Self {
        Self::against(name, unit, of, peer, goals, Kind::Ratio)
    }

    /// What comes on top of the peer's.
    pub(crate) fn added(
        name: impl Into<String>,
        unit: &'static str,
        of: [Vec<f64>; 2],
        peer: &'static str,
        goals: Goals,
    ) -> Self {
        Self::against(name, unit, of, peer, goals, Kind::Added)
    }

    fn against(
        name: impl Into<String>,
        unit: &'static str,
        of: [Vec<f64>; 2],
        peer: &'static str,
        goals: Goals,
        kind: Kind,
    ) -> Self {
        let [own, theirs] = of;
        let compare = |(own, theirs): (&f64, &f64)| {
            if kind == Kind::Ratio { own / theirs } else { own - theirs }
        };
        let compared: Vec<f64> = own.iter().zip(&theirs).map(compare).collect();
        let spread = spread(&compared);
        let noisy = spread > NOISY;
        Self {
            peer: Some((peer, theirs)),
            figure: median(&compared),
            kind,
            spread: Some(spread),
            noisy,
            ..Self::plain(name, unit, own, goals)
        }
    }

    fn goal(&self, free: bool) -> Goal {
        if free { self.goals.free } else { self.goals.two_cores }
    }

    pub(crate) fn broken(&self) -> bool {
        self.goals.free == Goal::Never && self.figure != 0.0
    }

    /// `ok`, `missed`, `broken` or `report only`.
    fn verdict(&self, free: bool) -> &'static str {
        let kept = match self.goal(free) {
            Goal::AtLeast(least) => self.figure >= least,
            Goal::AtMost(most) => self.figure <= most,
            Goal::Within(off) => (self.figure - 1.0).abs() <= off,
            Goal::Never if self.broken() => return "broken",
            Goal::Never => true,
            Goal::ReportOnly => return "report only",
        };
        if kept { "ok" } else { "missed" }
    }

    fn goal_text(&self, free: bool) -> String {
        match self.goal(free) {
            Goal::AtLeast(least) => format!(">= {}", short(least)),
            Goal::AtMost(most) => format!("<= {}", short(most)),
            Goal::Within(off) => format!("1 +- {}", short(off)),
            Goal::Never => "0 always".into(),
            Goal::ReportOnly => "-".into(),
        }
    }

    fn figure_text(&self) -> String {
        match self.kind {
            _ if self.rounds.is_empty() => "-".into(),
            Kind::Plain => short(self.figure),
            Kind::Ratio => format!("x {:.2}", self.figure),
            Kind::Added => format!("+ {}", short(self.figure)),
        }
    }

    fn cells(&self, engine: &str, free: bool) -> [String; 8] {
        let peer = self.peer.as_ref().map_or_else(
            || "-".into(),
            |(name, rounds)| format!("{name} {}", short(median(rounds))),
        );
        let noise = if self.noisy { ", noisy" } else { "" };
        let verdict = format!("{}{noise}", self.verdict(free));
        let measured = if self.rounds.is_empty() {
            "-".into()
        } else {
            format!("{} {}", short(median(&self.rounds)), self.unit)
        };
        [
            engine.into(),
            self.name.clone(),
            measured,
            peer,
            self.figure_text(),
            self.goal_text(free),
            verdict,
            self.note.clone(),
        ]
    }

    pub(crate) fn json(&self, engine: &str, free: bool) -> Value {
        json!({
            "engine": engine,
            "name": self.name,
            "unit": self.unit,
            "rounds": self.rounds,
            "median": median(&self.rounds),
            "peer": self.peer.as_ref().map(|(name, rounds)| json!({"name": name, "rounds": rounds, "median": median(rounds)})),
            "ratio": (self.kind == Kind::Ratio).then_some(self.figure),
            "added": (self.kind == Kind::Added).then_some(self.figure),
            "figure": self.figure,
            "spread": self.spread,
            "noisy": self.noisy,
            "goal": self.goal_text(free),
            "verdict": self.verdict(free),
            "note": self.note,
        })
    }
}

/// Three significant digits, without an exponent.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

/// All rows in columns.
pub(crate) fn show(rows: &[(&str, Row)], free: bool) -> String {
    let head = ["engine", "figure", "measured", "peer", "judged", "goal", "verdict", ""]
        .map(str::to_owned);
    let lines: Vec<[String; 8]> = std::iter::once(head)
        .chain(rows.iter().map(|(engine, row)| row.cells(engine, free)))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(shown, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", shown.trim_end());
    }
    text
}
