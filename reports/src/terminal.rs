//! The summary: the verdict first, then why, then where the files are.

use std::{fmt::Write, io};

use anstyle::{AnsiColor, Style};
use findings::{MayStayOut, Reached, Verdict, facts::Proof};

use crate::{
    Folder, Report, RunView, honesty,
    sentence::sentence,
    words::{amount, moment, span},
};

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

fn write_summary(run: &RunView<'_>, out: &mut String) -> std::fmt::Result {
    let (findings, judgement) = (run.findings, run.judgement);
    let bold = Style::new().bold();
    let dim = Style::new().dimmed();
    writeln!(out, "\n{}  {bold}{}{bold:#}", pill(judgement.verdict), sentence(run))?;
    if findings.happened.simulated {
        writeln!(
            out,
            "{dim}simulated: the lab was a model in memory; no server and no packet was real{dim:#}"
        )?;
    }
    for void in &judgement.voids {
        writeln!(out, "  {} {}", pill(Verdict::Inconclusive), void.sentence)?;
    }

    writeln!(out, "\n{bold}Gates{bold:#}")?;
    let width = judgement.gates.iter().map(|gate| gate.name.chars().count()).max().unwrap_or(0);
    let limits = judgement.gates.iter().map(|gate| gate.limit.chars().count()).max().unwrap_or(0);
    for gate in &judgement.gates {
        let pad = " ".repeat(width - gate.name.chars().count());
        let pad_limit = " ".repeat(limits - gate.limit.chars().count());
        writeln!(
            out,
            "  {} {}{pad}  {}{pad_limit}  {}",
            pill(gate.verdict),
            gate.name,
            gate.limit,
            gate.observed
        )?;
        let why = gate.why.as_deref().filter(|_| gate.verdict != Verdict::Pass);
        for line in [Some(gate.evidence.as_str()).filter(|text| !text.is_empty()), why]
            .into_iter()
            .flatten()
        {
            writeln!(out, "       {dim}{line}{dim:#}")?;
        }
    }

    if !findings.happened.windows.is_empty() {
        writeln!(out, "\n{bold}Faults{bold:#}")?;
    }
    for window in &findings.happened.windows {
        let (verdict, said) = match window.proof {
            Proof::Proven => {
                (Verdict::Pass, format!("proven at {}", window.effect.map_or("?".into(), moment)))
            }
            Proof::Masked => (Verdict::Inconclusive, "masked by another window".to_owned()),
            Proof::Unproven => (Verdict::Fail, "NOT PROVEN".to_owned()),
        };
        let style = color(verdict);
        writeln!(
            out,
            "  {} {} at {}: {style}{said}{style:#} {dim}{}{dim:#}",
            window.id,
            window.kind,
            window.picked.join(", "),
            window.why
        )?;
    }
    for episode in &findings.episodes {
        let marks = [
            // Roles are polled: the leader was there by then.
            ("T2 new leader <=", episode.timeline.t2),
            ("T3 first ack by it", episode.timeline.t3),
            ("T5 last asset good", episode.timeline.t5),
            ("T6 back to baseline", episode.timeline.t6),
        ];
        let marks: Vec<String> = marks
            .iter()
            .filter_map(|(name, at)| at.map(|at| format!("{name} {}", span(at))))
            .collect();
        let affected = format!("{} assets affected", amount(episode.affected.assets.len() as u64));
        writeln!(
            out,
            "  {dim}effect at {}: {}{dim:#}",
            moment(episode.t_effect),
            [vec![affected], marks].concat().join(", ")
        )?;
        if let Some(rto) = episode
            .rto
            .get(&MayStayOut::OnePercent)
            .filter(|rto| rto.reached == Reached::RecoveredByHeal)
        {
            writeln!(
                out,
                "  {dim}the service came back only with the heal, after {}: no failover{dim:#}",
                rto.value.map_or("?".into(), span)
            )?;
        }
    }

    writeln!(out, "\n{bold}Self-honesty{bold:#}")?;
    let rows = honesty::rows(run);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let style = if name == "degraded" { color(Verdict::Inconclusive) } else { dim };
        writeln!(out, "  {name:width$}  {style}{value}{style:#}")?;
    }

    writeln!(out, "\n{bold}Files{bold:#} {}", run.folder().display())?;
    if let Some(packets) = run.packets() {
        writeln!(out, "  {dim}packets around each effect: {packets}, open with Wireshark{dim:#}")?;
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

fn pill(verdict: Verdict) -> String {
    let style = color(verdict);
    let word = match verdict {
        Verdict::NotApplicable => "NOT APPLICABLE",
        Verdict::Pass => "PASS",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Fail => "FAIL",
    };
    format!("{style}{word}{style:#}")
}
