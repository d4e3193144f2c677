//! Figures against a named peer in the same run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::sh;

mod peers;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// The packet fabric against a veth pair: throughput, CPU, delay, cuts, loss. Four minutes at most.
    Fabric(Fabric),
    /// The load generator, alone and beside other load generators that are installed: CPU, latencies that are true, memory, pacing.
    /// Ten minutes at most.
    Traffic(Traffic),
}

#[derive(Args)]
pub(crate) struct Traffic {
    /// Fewer and shorter measurements, and the fastest peers only: a minute and a half at most.
    #[arg(long)]
    quick: bool,
    /// Only measurements whose name holds this word, such as `truth`.
    #[arg(long)]
    only: Option<String>,
    /// Where the figures go; without it a new file in target/bench.
    #[arg(long)]
    json: Option<PathBuf>,
    /// With the profile of the tests, whose crates are built already: figures are larger than in a release, and so are missed goals.
    #[arg(long)]
    dev: bool,
    /// Installs the peers by apt, cargo and go, into target/peers where the client allows, and measures nothing.
    #[arg(long)]
    install_peers: bool,
}

#[derive(Args)]
pub(crate) struct Fabric {
    /// Fewer and shorter rounds: a minute at most.
    #[arg(long)]
    quick: bool,
    /// So many cuts, however long they take.
    #[arg(long)]
    cuts: Option<usize>,
    /// Only this engine; without it every one that this machine has.
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// Only measurements whose name holds this word, such as `cuts`.
    #[arg(long)]
    only: Option<String>,
    /// Where the figures go; without it a new file in target/bench.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Engine {
    Tun,
    AfPacket,
}

pub(crate) fn run(root: &Path, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Fabric(asked) => fabric(root, asked),
        Bench::Traffic(asked) if asked.install_peers => peers::install(root),
        Bench::Traffic(asked) => traffic(root, asked),
    }
}

fn named(room: &str) -> Vec<String> {
    let package = format!("wetdress-{room}");
    ["bench", "--quiet", "--package", &package, "--bench", room, "--"].map(str::to_owned).into()
}

fn cargo(root: &Path, words: &[String]) -> Result<()> {
    sh(root, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn fabric(root: &Path, asked: &Fabric) -> Result<()> {
    let mut words = named("fabric");
    words.extend(asked.quick.then(|| "--quick".to_owned()));
    if let Some(cuts) = asked.cuts {
        words.extend(["--cuts".to_owned(), cuts.to_string()]);
    }
    if let Some(engine) = asked.engine.and_then(|engine| engine.to_possible_value()) {
        words.extend(["--engine".to_owned(), engine.get_name().to_owned()]);
    }
    rest(root, words, asked.only.as_ref(), asked.json.as_ref())
}

fn traffic(root: &Path, asked: &Traffic) -> Result<()> {
    let mut words = named("traffic");
    if asked.dev {
        // The features of the whole workspace are those that the tests were built with.
        let tested =
            ["bench", "--quiet", "--profile=dev", "--workspace", "--bench", "traffic", "--"];
        words = tested.map(str::to_owned).into();
    }
    words.extend(asked.quick.then(|| "--quick".to_owned()));
    rest(root, words, asked.only.as_ref(), asked.json.as_ref())
}

/// What all benches understand.
fn rest(
    root: &Path,
    mut words: Vec<String>,
    only: Option<&String>,
    json: Option<&PathBuf>,
) -> Result<()> {
    if let Some(only) = only {
        words.extend(["--only".to_owned(), only.clone()]);
    }
    if let Some(json) = json {
        // Cargo runs a bench in the folder of its package.
        let json = std::path::absolute(json).context("failed to read the path")?;
        words.extend([
            "--json".to_owned(),
            json.to_str().context("the path is not UTF-8")?.to_owned(),
        ]);
    }
    cargo(root, &words)
}
