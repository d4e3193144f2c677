//! Figures of the load generator, alone and beside its peers: `cargo xtask bench traffic`.
//!
//! * `in_memory`: against lanes in memory (`lanes`), and what recording costs
//! * `over_http`: beside `peers` against one `server`; `truth`: what latencies were by the server's stamps
//! * `ours`: one run of the generator in a process of its own; `allocations`: a counting allocator
//! * `rows`: figures, goals, the table
//!
//! A missed goal is a printed word: it is the machine's as often as ours. A measurement of ours that fails makes the exit code 1.
#![allow(clippy::print_stdout, reason = "a bench talks to the person who runs it")]

use std::{
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{peers::Peer, rows::Row};

mod allocations;
mod in_memory;
mod lanes;
mod ours;
mod over_http;
mod peers;
mod rows;
mod server;
mod truth;

#[derive(Parser)]
struct Args {
    /// Fewer and shorter measurements: a minute and a half at most.
    #[arg(long)]
    quick: bool,
    /// Only measurements whose name holds this word, such as `truth`.
    #[arg(long)]
    only: Option<String>,
    /// Where the figures go; without it a new file in target/bench.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What every measurement knows.
struct Bench {
    quick: bool,
    scratch: TempDir,
    peers: Vec<(Peer, PathBuf)>,
    /// Open files that a process may have.
    files: u32,
    cores: usize,
}

type Measure = fn(&Bench) -> Result<Vec<Row>>;

const MEASURES: [(&str, Measure); 7] = [
    ("lanes", in_memory::lanes),
    ("outage", in_memory::outage),
    ("recording", in_memory::recording),
    ("cost", over_http::cost),
    ("truth", over_http::truth),
    ("connections", over_http::connections),
    ("pacing", over_http::pacing),
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(ours::WORD) => ours::child(words.get(1).context("it is our own process that asks")?),
        Some(server::WORD) => server::child(&words[1..]),
        _ => bench(&Args::parse()),
    }
}

fn bench(args: &Args) -> Result<()> {
    let (began, start, machine) = (SystemTime::now(), Instant::now(), machine());
    println!("machine  {machine}");
    let scratch = tempfile::tempdir()?;
    let files = getrlimit(Resource::Nofile).maximum;
    let mut bench = Bench {
        quick: args.quick,
        scratch,
        peers: vec![],
        files: files.map_or(u32::MAX, |files| u32::try_from(files).unwrap_or(u32::MAX)),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut versions = serde_json::Map::new();
    for peer in Peer::ALL {
        let Some(program) = peer.find(&built().join("peers/bin")) else {
            println!("absent   {}: {}", peer.name(), peer.how_to_get_it());
            continue;
        };
        let version = peer.version(&program);
        println!(
            "peer     {}: {}",
            peer.name(),
            version.as_deref().unwrap_or("it names no version")
        );
        versions.insert(peer.name().into(), version.into());
        bench.peers.push((peer, program));
    }

    let (mut rows, mut failed) = (vec![], vec![]);
    let asked = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for (name, measure) in MEASURES.into_iter().filter(|(name, _)| asked(name)) {
        println!("{:>5.1} s  {name}", start.elapsed().as_secs_f64());
        match measure(&bench) {
            Ok(found) => rows.extend(found),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    let took_s = start.elapsed().as_secs_f64();
    print!("\n{}\n", rows::table(&rows));
    failed.iter().for_each(|what| println!("FAILED   {what}"));
    println!("load     {} at the end; it took {took_s:.0} s", load_average());

    let report = json!({
        "version": 1,
        "began": humantime::format_rfc3339_seconds(began).to_string(),
        "took_s": took_s,
        "quick": args.quick,
        "machine": machine,
        "load_average_at_the_end": load_average(),
        "peers": versions,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "failed": failed,
    });
    let stamp = humantime::format_rfc3339_seconds(began).to_string().replace([':', '-'], "");
    let path = args.json.clone();
    let path = path.unwrap_or_else(|| built().join("bench").join(format!("traffic-{stamp}.json")));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, format!("{report:#}\n"))?;
    println!("written  {}", path.display());
    ensure!(failed.is_empty(), "a measurement failed");
    Ok(())
}

/// Where everything is that was built.
fn built() -> &'static Path {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch)
}

fn line(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn load_average() -> String {
    let all = line("/proc/loadavg").unwrap_or_default();
    all.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Facts without which no figure means anything. What cannot be read is null.
fn machine() -> Value {
    let named = |text: String| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "cpu": line("/proc/cpuinfo").and_then(named),
        "kernel": line("/proc/sys/kernel/osrelease"),
        "load_average": load_average(),
    })
}
