//! One self-contained page: it works offline and prints well.

use std::{fs, io};

use findings::{EpisodeFindings, MayStayOut, Percentile, Reached, Rto, facts::Proof};
use minijinja::{Environment, context, value::Serde};
use serde_json::{Value, json};

use crate::{
    Folder, Report, RunView, charts,
    format::{amount, moment, span},
    headline::headline,
    honesty,
};

const TEMPLATE: &str = include_str!("../templates/report.html");
/// Lost readings listed on the page; all of them are in report.json.
const LISTED: usize = 500;
/// Bytes of each server log shown.
const LOG_TAIL: usize = 6_000;
const QUANTILES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "p100"];

#[derive(Debug)]
pub(crate) struct Html;

impl Report for Html {
    fn write(&self, run: &RunView<'_>, out: &mut dyn Folder) -> io::Result<()> {
        out.put("report.html", page(run).map_err(io::Error::other)?.as_bytes())
    }
}

fn page(run: &RunView<'_>) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE)?;
    let (findings, judgement) = (run.findings, run.judgement);
    let charts: Vec<Value> = charts::all(run)
        .iter()
        .map(|chart| json!({"title": chart.title, "svg": chart.svg}))
        .collect();
    environment.get_template("report.html")?.render(context! {
        scenario => run.plan().scenario.clone(),
        summary => run.plan().summary.clone(),
        seed => run.plan().seed,
        source => Serde(&run.plan().source),
        version => env!("CARGO_PKG_VERSION"),
        stack => run.stack(),
        simulated => findings.happened.simulated,
        verdict => Serde(judgement.verdict),
        sentence => headline(run),
        voids => judgement.voids.iter().map(|void| void.sentence.clone()).collect::<Vec<_>>(),
        gates => Serde(&judgement.gates),
        tiles => Serde(tiles(run)),
        charts => Serde(charts),
        faults => Serde(faults(run)),
        episodes => Serde(findings.episodes.iter().map(episode).collect::<Vec<_>>()),
        ledger => Serde(ledger(run)),
        lost => Serde(&findings.loss.lost[..findings.loss.lost.len().min(LISTED)]),
        lost_count => findings.loss.count,
        quantiles => QUANTILES,
        latency => Serde(latency(run)),
        policies => Serde(run.policies().iter().map(|(service, text)| json!({"service": service, "text": text})).collect::<Vec<_>>()),
        honesty => Serde(honesty::rows(run).into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>()),
        packets => run.packets(),
        logs => Serde(logs(run)),
    })
}

fn tile(name: &str, value: String, note: String) -> Value {
    json!({"name": name, "value": value, "note": note})
}

fn tiles(run: &RunView<'_>) -> Vec<Value> {
    let findings = run.findings;
    let longest = &findings.longest_outage.all;
    let mut tiles = vec![];
    if let Some(episode) = findings.episodes.first() {
        let rto = &episode.rto[&MayStayOut::OnePercent];
        tiles.push(tile(
            "RTO, 99 % of assets",
            rto_text(rto),
            format!("of {} affected", amount(episode.affected.with_path)),
        ));
    }
    tiles.push(tile(
        "acked and lost",
        amount(findings.loss.count),
        format!("of {} acked", amount(findings.loss.acked)),
    ));
    let at_least = if longest.censored > 0 { ">= " } else { "" };
    tiles.push(tile(
        "longest outage",
        format!("{at_least}{}", span(longest.max)),
        format!("{} of {} assets hit", amount(longest.hit), amount(longest.assets)),
    ));
    tiles.push(tile(
        "asset-seconds lost",
        format!("{:.0}", findings.asset_us_lost as f64 / 1e6),
        "integral of assets in outage".into(),
    ));
    let duplicates: u64 =
        findings.duplicates.values().map(|found| found.unexplained).max().unwrap_or(0);
    let explained: u64 =
        findings.duplicates.values().map(|found| found.explained).max().unwrap_or(0);
    tiles.push(tile(
        "duplicates",
        amount(duplicates),
        format!("unexplained; {} by retries", amount(explained)),
    ));
    let back: u64 = findings.time_travel.values().map(|found| found.count).sum();
    tiles.push(tile("gone back in time", amount(back), "current values".into()));
    tiles
}

fn faults(run: &RunView<'_>) -> Vec<Value> {
    let windows = run.findings.happened.windows.iter().map(|window| {
        let proof = match window.proof {
            Proof::Proven => "proven",
            Proof::Unproven => "unproven",
            Proof::Masked => "masked",
        };
        json!({
            "id": window.id, "kind": window.kind, "picked": window.picked.join(", "), "asked": moment(window.asked),
            "effect": window.effect.map_or("never".into(), moment), "healed": window.healed.map_or("not".into(), moment),
            "proof": proof, "count": findings::format::count(window.count, "hit", "hits"), "why": window.why,
        })
    });
    windows.collect()
}

fn episode(episode: &EpisodeFindings) -> Value {
    let timeline = &episode.timeline;
    let marks = [
        ("T0", maybe(Some(0)), "first proven effect of the fault"),
        (
            "T2",
            at_most(timeline.t2),
            "a new leader for every shard that lost its own; an upper bound, since roles are polled",
        ),
        ("T3", maybe(timeline.t3), "first write acked by the new leaders"),
        ("T5", maybe(timeline.t5), "last affected asset good again"),
        ("T6", maybe(timeline.t6), "back to baseline, and staying there"),
    ];
    let marks: Vec<Value> = marks
        .iter()
        .map(|(name, value, about)| json!({"name": name, "value": value, "about": about}))
        .collect();
    let rtos = episode.rto.iter().map(|(share, rto)| {
        json!({"name": format!("more than {share} out"), "value": rto_text(rto), "first": maybe(rto.first_recovery), "relapses": rto.relapses})
    });
    let leaders = timeline.leaders.iter().map(|leader| {
        json!({"shard": leader.shard, "old": leader.old, "new": leader.new.as_deref().unwrap_or("none seen"), "elected": at_most(leader.elected), "acked": maybe(leader.acked)})
    });
    let rule = if episode.affected.declared {
        "as the fault declares"
    } else {
        "whoever missed the deadline, as the fault declares none"
    };
    json!({
        "windows": episode.windows.join(", "), "t0": moment(episode.t_effect), "marks": marks, "rto": rtos.collect::<Vec<_>>(),
        "leaders": leaders.collect::<Vec<_>>(), "dominating": timeline.dominating,
        "affected": format!("{} affected, {rule}", findings::format::count(episode.affected.assets.len() as u64, "asset", "assets")),
    })
}

fn maybe(us: Option<i64>) -> String {
    us.map_or("-".into(), span)
}

fn at_most(us: Option<i64>) -> String {
    us.map_or("-".into(), |us| format!("<= {}", span(us)))
}

fn rto_text(rto: &Rto) -> String {
    match (rto.reached, rto.value, rto.at_least) {
        (Reached::Measured, Some(us), _) => span(us),
        (Reached::RecoveredByHeal, Some(us), _) => format!("{} (by heal)", span(us)),
        (Reached::BeyondObserved, _, Some(us)) => format!("> {}", span(us)),
        (Reached::NoOutage, ..) => "no outage".into(),
        _ => "not decidable".into(),
    }
}

fn ledger(run: &RunView<'_>) -> Vec<Value> {
    let findings = run.findings;
    let rows = findings.classes.iter().map(|(observer, classes)| {
        let named = |class: &findings::Class| {
            serde_json::to_value(class).ok().and_then(|name| name.as_str().map(|name| name.replace('_', " "))).unwrap_or_default()
        };
        let classes: Vec<String> = classes.iter().map(|(class, n)| format!("{} {}", amount(*n), named(class))).collect();
        let duplicates = findings
            .duplicates
            .get(observer)
            .map_or("-".into(), |found| format!("{} / {}", amount(found.explained), amount(found.unexplained)));
        let reordered = findings.order.get(observer).map_or("-".into(), |found| amount(found.reordered));
        json!({"observer": observer, "classes": classes.join(", "), "duplicates": duplicates, "reordered": reordered})
    });
    rows.collect()
}

fn latency(run: &RunView<'_>) -> Vec<Value> {
    let bound = |value: &Percentile| {
        format!("{}{}", if value.at_least { ">= " } else { "" }, span(value.us))
    };
    let in_order = run.plan().phases.iter().filter_map(|phase| {
        Some((phase.name.as_str(), run.findings.ack_latency.get(phase.name.as_str())?))
    });
    let rows = in_order.map(|(phase, latency)| {
        let values: Vec<String> = QUANTILES.iter().map(|q| latency.percentiles.get(*q).map_or("-".into(), bound)).collect();
        json!({"phase": phase, "n": amount(latency.n), "censored": amount(latency.censored), "values": values})
    });
    rows.collect()
}

/// The last lines of every server's log.
fn logs(run: &RunView<'_>) -> Vec<Value> {
    let mut logs = vec![];
    for node in run.plan().topology.nodes.keys() {
        let Ok(files) = fs::read_dir(run.folder().join("logs").join(node.as_str())) else {
            continue;
        };
        let mut files: Vec<_> = files.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let Ok(bytes) = fs::read(&file) else { continue };
            let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LOG_TAIL)..])
                .into_owned();
            let name = file
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            logs.push(json!({"name": format!("{node}/{name}"), "tail": tail}));
        }
    }
    logs
}
