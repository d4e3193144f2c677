//! The summary: the verdict first, then why, then where the files are.

use std::{
    fmt::{self, Write},
    io,
};

use anstyle::{AnsiColor, Style};
use findings::{
    EpisodeFindings, Findings, GateVerdict, MayStayOut, Reached, Verdict, facts::Proof,
};

use crate::{
    Folder, Report, RunView,
    format::{amount, moment, span},
    headline::headline,
    honesty,
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

#[derive(Debug)]
pub(crate) struct Terminal;

impl Report for Terminal {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        out.put("summary.txt", anstream::adapter::strip_str(&summary(run)).to_string().as_bytes())
    }
}

/// Styled with ANSI sequences; the caller's stream strips them where there is no colour.
pub fn summary(run: &RunView<'_>) -> String {
    let mut text = String::new();
    write_summary(run, &mut text).expect("a string takes everything");
    text
}

fn write_summary(run: &RunView<'_>, out: &mut String) -> fmt::Result {
    let judgement = run.judgement;
    writeln!(out, "\n{}  {BOLD}{}{BOLD:#}", pill(judgement.verdict, 0), headline(run))?;
    if run.findings.happened.simulated {
        writeln!(
            out,
            "{DIM}simulated: the lab was a model in memory; no server and no packet was real{DIM:#}"
        )?;
    }
    for void in &judgement.voids {
        writeln!(out, "  {} {}", pill(Verdict::Inconclusive, 0), void.sentence)?;
    }
    write_gates(&judgement.gates, out)?;
    write_faults(run.findings, out)?;

    writeln!(out, "\n{BOLD}Self-honesty{BOLD:#}")?;
    let rows = honesty::rows(run);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let style = if name == "degraded" { color(Verdict::Inconclusive) } else { DIM };
        writeln!(out, "  {name:width$}  {style}{value}{style:#}")?;
    }

    writeln!(out, "\n{BOLD}Files{BOLD:#} {}", run.folder().display())?;
    if let Some(packets) = run.packets() {
        writeln!(out, "  {DIM}packets around each effect: {packets}, open with Wireshark{DIM:#}")?;
    }
    Ok(())
}

fn write_gates(gates: &[GateVerdict], out: &mut String) -> fmt::Result {
    let width = |text: fn(&GateVerdict) -> &str| {
        gates.iter().map(|gate| text(gate).chars().count()).max().unwrap_or(0)
    };
    let (words, names) = (width(|gate| word(gate.verdict)), width(|gate| &gate.name));
    let limits = width(|gate| &gate.limit);
    writeln!(out, "\n{BOLD}Gates{BOLD:#}")?;
    for gate in gates {
        let (verdict, name, limit) = (pill(gate.verdict, words), &gate.name, &gate.limit);
        writeln!(out, "  {verdict} {name:names$}  {limit:limits$}  {}", gate.observed)?;
        let why = gate.why.as_deref().filter(|_| gate.verdict != Verdict::Pass);
        let evidence = Some(gate.evidence.as_str()).filter(|text| !text.is_empty());
        for line in [evidence, why].into_iter().flatten() {
            writeln!(out, "  {:words$} {DIM}{line}{DIM:#}", "")?;
        }
    }
    Ok(())
}

fn write_faults(findings: &Findings, out: &mut String) -> fmt::Result {
    if !findings.happened.windows.is_empty() {
        writeln!(out, "\n{BOLD}Faults{BOLD:#}")?;
    }
    for window in &findings.happened.windows {
        let (verdict, said) = match window.proof {
            Proof::Proven => {
                (Verdict::Pass, format!("proven at {}", window.effect.map_or("?".into(), moment)))
            }
            Proof::Masked => (Verdict::Inconclusive, "masked by another window".to_owned()),
            Proof::Unproven => (Verdict::Fail, "NOT PROVEN".to_owned()),
        };
        let (style, picked) = (color(verdict), window.picked.join(", "));
        writeln!(
            out,
            "  {} {} at {picked}: {style}{said}{style:#} {DIM}{}{DIM:#}",
            window.id, window.kind, window.why
        )?;
    }
    findings.episodes.iter().try_for_each(|episode| write_episode(episode, out))
}

fn write_episode(episode: &EpisodeFindings, out: &mut String) -> fmt::Result {
    let marks = [
        // Roles are polled: the leader was there by then.
        ("T2 new leader <=", episode.timeline.t2),
        ("T3 first ack by it", episode.timeline.t3),
        ("T5 last asset good", episode.timeline.t5),
        ("T6 back to baseline", episode.timeline.t6),
    ];
    let marks = marks.iter().filter_map(|(name, at)| at.map(|at| format!(", {name} {}", span(at))));
    writeln!(
        out,
        "  {DIM}effect at {}: {} assets affected{}{DIM:#}",
        moment(episode.t_effect),
        amount(episode.affected.assets.len() as u64),
        marks.collect::<String>()
    )?;
    let by_heal = episode.rto.get(&MayStayOut::OnePercent);
    let by_heal = by_heal.filter(|rto| rto.reached == Reached::RecoveredByHeal);
    if let (Some(rto), Some(said)) = (by_heal, &episode.by_heal) {
        let after = rto.value.map_or("?".into(), span);
        writeln!(out, "  {DIM}assets were back only with the heal, after {after}: {said}{DIM:#}")?;
    }
    Ok(())
}

fn color(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::NotApplicable => return Style::new().dimmed(),
        Verdict::Pass => AnsiColor::Green,
        Verdict::Inconclusive => AnsiColor::Yellow,
        Verdict::Fail => AnsiColor::Red,
    };
    color.on_default().bold()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotApplicable => "NOT APPLICABLE",
        Verdict::Pass => "PASS",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Fail => "FAIL",
    }
}

/// The verdict in its colour, as wide as the widest beside it.
fn pill(verdict: Verdict, width: usize) -> String {
    let style = color(verdict);
    format!("{style}{:width$}{style:#}", word(verdict))
}
