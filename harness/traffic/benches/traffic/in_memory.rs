//! The generator alone, against lanes in memory; and what recording costs.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use model::{
    Attempt, Identity, Micros, NodeIndex, Row as Reading, ledger::Fate, schedule::Schedule,
};

use crate::{
    Bench,
    ours::{Asked, Found, To, cpu},
    rows::{Goal, Row},
};

const STALL_MAX_MS: f64 = 50.0;
const STALLED: u32 = 100_000;

/// A sink of 10 000, 100 000 and a million assets over eight connections; each with a session of its own.
pub(crate) fn lanes(bench: &Bench) -> Result<Vec<Row>> {
    let second = Duration::from_secs(1);
    let all = [(10_000, second), (100_000, second), (1_000_000, 10 * second)];
    let lasts = Duration::from_secs(if bench.quick { 3 } else { 6 });
    let mut rows = vec![];
    // Sessions are for as many assets as have connections of their own.
    for (to, name, most) in [(To::Sink, "sink", 3), (To::Sessions, "sessions", 2)] {
        for (assets, every) in all.into_iter().take(if bench.quick { 1 } else { most }) {
            let asked = Asked::new(to.clone(), assets, every, lasts, bench.scratch.path());
            // Everybody stands before the first reading is due, also on a busy machine.
            let ahead = asked.ahead + Duration::from_micros(10) * assets;
            let found = Asked { ahead, ..asked }.run()?;
            let is_goal = name == "sink" && assets == 1_000_000;
            rows.extend(figures(&format!("{name} of {assets} assets"), &found, assets, is_goal));
        }
    }
    Ok(rows)
}

fn figures(name: &str, found: &Found, assets: u32, is_goal: bool) -> Vec<Row> {
    let goal = |most: f64| if is_goal { Goal::AtMost(most) } else { Goal::ReportOnly };
    let generated = found.generated as f64;
    let us = |spent: Duration| spent.as_secs_f64() * 1e6 / generated;
    let senders =
        found.senders.map_or(String::new(), |spent| format!("{:.2} of the sender, ", us(spent)));
    let allocations = found.allocations as f64 / (generated / 2.0);
    let [p50, p99, max] = found.late.map(|us| us as f64 / 1e3);
    let loop_late = found.loop_late.map(|us| us as f64 / 1e3);
    vec![
        Row::new(format!("{name}: CPU a reading"), us(found.cpu), "us").goal(goal(3.0)).note(
            format!(
                "{senders}{allocations:.2} allocations; {} of {} not acked",
                found.generated - found.acked,
                found.generated
            ),
        ),
        Row::new(
            format!("{name}: memory an asset"),
            (found.memory / u64::from(assets)) as f64,
            "B",
        )
        .goal(goal(64.0)),
        Row::new(format!("{name}: late, p99"), p99, "ms").goal(goal(5.0)).note(format!(
            "p50 {p50:.1}, max {max:.1}; its loop p99 {:.1}, max {:.1}",
            loop_late[1], loop_late[2]
        )),
        Row::new(format!("{name}: ledger a reading"), found.ledger_bytes as f64 / generated, "B")
            .goal(Goal::AtMost(20.0)),
    ]
}

/// A lane that takes nothing for three seconds, then loses every connection at once.
pub(crate) fn outage(bench: &Bench) -> Result<Vec<Row>> {
    let lasts = Duration::from_secs(6);
    let mut rows = vec![];
    for assets in [10_000, 40_000, STALLED].into_iter().skip(if bench.quick { 2 } else { 0 }) {
        let to = To::Outage { lost_at_ms: 4_000 };
        let found =
            Asked::new(to, assets, Duration::from_secs(1), lasts, bench.scratch.path()).run()?;
        let stall = found.loop_late[2] as f64 / 1e3;
        let what = format!("outage of {assets} assets: longest stall");
        let beyond = format!("{:.0} ms beyond the planned end", found.beyond.as_secs_f64() * 1e3);
        rows.push(Row::new(what, stall, "ms").goal(Goal::AtMost(STALL_MAX_MS)).note(beyond));
    }
    Ok(rows)
}

/// Rows into the ledger and latencies into a histogram, cut by the second: encoding, checksums and the file included.
pub(crate) fn recording(bench: &Bench) -> Result<Vec<Row>> {
    const ASSETS: u32 = 50_000;
    let seconds = if bench.quick { 3 } else { 10 };
    let plan = kit::plan::of(kit::plan::fleet(
        ASSETS,
        vec![kit::plan::stream("status", Duration::from_secs(1))],
    ));
    let folder = run::Folder::create(bench.scratch.path(), "recording", &plan, "")?;
    let schedule = Arc::new(Schedule::new(&plan));
    let run::SenderFiles { mut ledger, mut latency, .. } =
        folder.append_sender(0, schedule.clone())?;
    let all: Vec<_> = schedule.all().collect();
    let (mut spent, mut written) = (Duration::ZERO, 0u64);
    for second in 0..seconds {
        // Whoever sends has these in its hands; making them is not recording.
        let rows: Vec<Reading> = all
            .iter()
            .map(|(asset, stream, series)| row(*asset, *stream, second, series.at(second)))
            .collect();
        written += rows.len() as u64;
        let before = cpu();
        let mut histogram = run::histogram();
        for row in rows {
            if let Some(acked) = row.acked {
                let us = acked.since(row.ready).as_micros();
                histogram.saturating_record(u64::try_from(us).unwrap_or(u64::MAX).max(1));
            }
            ledger.push(row)?;
        }
        let (from, until) = (
            Micros::after(Duration::from_secs(second)),
            Micros::after(Duration::from_secs(second + 1)),
        );
        ledger.cut(until)?;
        latency.append("terminals/west", from, Duration::from_secs(1), &histogram)?;
        spent += cpu().saturating_sub(before);
    }
    ensure!(written > 0, "nothing was recorded");
    let bytes = std::fs::metadata(folder.sender(0).readings())?.len() as f64 / written as f64;
    let ns = spent.as_secs_f64() * 1e9 / written as f64;
    Ok(vec![
        Row::new("recording, all in: a reading", ns, "ns").goal(Goal::AtMost(50.0)),
        Row::new("recording: ledger a reading, with positions", bytes, "B")
            .goal(Goal::AtMost(20.0)),
    ])
}

fn row(asset: u32, stream: u16, seq: u64, ready: Micros) -> Reading {
    let sent = ready + Duration::from_micros(u64::from(asset % 300));
    Reading {
        identity: Identity { asset, stream, boot: 1, seq },
        ready,
        attempts: [Attempt { sent }].into_iter().collect(),
        fate: Fate::Acked,
        acked: Some(sent + Duration::from_micros(800 + u64::from(asset % 977))),
        position: Some(seq * 50_000 + u64::from(asset)),
        by: Some(NodeIndex(0)),
        stored: false,
    }
}
