//! `cargo xtask bench fabric`: the fabric against a veth pair in the same run, as ratios, beside its goals. What a figure means stands
//! in `docs/concepts/fabric-performance.md`. The process enters its own user and network namespace before any thread exists, so nothing
//! here touches the host's network and no privilege is needed.
#![allow(
    clippy::disallowed_methods,
    reason = "the sockets here are born in namespaces of the bench's own"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench talks to the person who runs it"
)]

mod args;
#[path = "../../tests/shells/capture.rs"]
mod capture;
mod cores;
mod cuts;
mod exact;
mod figures;
mod flood;
mod gone;
mod iperf;
mod lateness;
mod lossy;
mod machine;
#[path = "../../tests/shells/net.rs"]
#[allow(dead_code, reason = "the tests of the shells need more of it")]
mod net;
mod round_trip;
mod stream;
#[path = "../../tests/shells/sys.rs"]
mod sys;
mod table;
mod way;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use fabric::Engine;
use serde_json::{Value, json};

use args::{Args, Effort, engine_name};
use machine::Ticks;
use table::Row;

type Measure = fn(Engine, &Effort) -> io::Result<Vec<Row>>;

/// In the order of the goals.
const MEASURES: [(&str, Measure); 8] = [
    ("one TCP stream", stream::rows),
    ("round trips", round_trip::rows),
    ("lateness", lateness::rows),
    ("cuts", cuts::rows),
    ("loss and rate", exact::rows),
    ("goodput under loss", lossy::rows),
    ("small packets", flood::rows),
    ("kill -9", gone::rows),
];

fn main() -> ExitCode {
    let args = match Args::read(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(64);
        }
    };
    match if args.doomed {
        gone::doomed(args.engine.unwrap_or(Engine::Tun)).map(|()| true)
    } else {
        bench(&args)
    } {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the bench failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a run has found so far.
#[derive(Default)]
struct Found {
    rows: Vec<(&'static str, Row)>,
    /// Measurements that failed, or that there was no time for.
    failed: Vec<String>,
    left_out: Vec<String>,
}

impl Found {
    /// Nothing was even tried.
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.failed.is_empty()
    }
}

/// False when something is broken: a measurement failed, or what must never happen did. An error when nothing was measured at all.
fn bench(args: &Args) -> io::Result<bool> {
    sys::enter_namespaces().map_err(|error| {
        io::Error::other(format!(
            "no user namespace on this host ({error}); `wetdress doctor` says why"
        ))
    })?;
    let effort = if args.quick { Effort::quick(args.cuts) } else { Effort::full(args.cuts) };
    let (began, facts, ticks) = (SystemTime::now(), machine::facts(), Ticks::now()?);
    let free = cores::allowed().len() >= cores::FREE_CORES;
    println!("machine  {facts}");
    println!(
        "goals    {}",
        if free { "free cores; threads are pinned" } else { "the 2-core table; nothing is pinned" }
    );

    let found = measure(args, &effort);
    if found.is_empty() {
        let names = MEASURES.map(|(what, _)| format!("`{what}`")).join(", ");
        let message = format!(
            "nothing was measured: no engine to measure, or no name holds what `--only` asks for; the names are {names}"
        );
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let work = ticks.since()?;
    print!("\n{}", table::show(&found.rows, free));
    println!("\nsteal    {:.1} s of {:.0} s", work.steal.as_secs_f64(), work.wall.as_secs_f64());
    found.left_out.iter().for_each(|what| println!("left out {what}: out of time"));
    found.failed.iter().for_each(|what| println!("FAILED   {what}"));

    let rows: Vec<Value> = found.rows.iter().map(|(engine, row)| row.json(engine, free)).collect();
    let report = json!({
        "version": 1,
        "began": humantime::format_rfc3339_seconds(began).to_string(),
        "took_s": work.wall.as_secs_f64(),
        "steal_s": work.steal.as_secs_f64(),
        "quick": args.quick,
        "goals": if free { "free" } else { "2 cores" },
        "machine": facts,
        "rows": rows,
        "failed": found.failed,
        "left_out": found.left_out,
    });
    let path = args.json.clone().unwrap_or_else(|| default_path(began));
    write(&path, &report)?;
    println!("written  {}", path.display());
    Ok(found.failed.is_empty() && !found.rows.iter().any(|(_, row)| row.broken()))
}

fn measure(args: &Args, effort: &Effort) -> Found {
    let (start, mut found) = (Instant::now(), Found::default());
    for engine in [Engine::Tun, Engine::AfPacket]
        .into_iter()
        .filter(|engine| args.engine.is_none_or(|asked| asked == *engine))
    {
        let name = engine_name(engine);
        if engine == Engine::Tun
            && std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err()
        {
            println!("skipped  {name}: /dev/net/tun cannot be opened here");
            continue;
        }
        for (what, measure) in MEASURES
            .into_iter()
            .filter(|(what, _)| args.only.as_ref().is_none_or(|only| what.contains(only)))
        {
            if start.elapsed() > effort.limit {
                found.left_out.push(format!("{name}: {what}"));
                continue;
            }
            eprintln!("{:>5.1} s  {name}: {what}", start.elapsed().as_secs_f64());
            match measure(engine, effort) {
                Ok(rows) => found.rows.extend(rows.into_iter().map(|row| (name, row))),
                Err(error) => found.failed.push(format!("{name}: {what}: {error}")),
            }
        }
    }
    found
}

/// `target/bench/fabric-<UTC>.json`, beside everything else that was built.
fn default_path(began: SystemTime) -> PathBuf {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stamp = humantime::format_rfc3339_seconds(began).to_string().replace([':', '-'], "");
    built.parent().unwrap_or(built).join("bench").join(format!("fabric-{stamp}.json"))
}

fn write(path: &Path, report: &Value) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, format!("{report:#}\n"))
}
