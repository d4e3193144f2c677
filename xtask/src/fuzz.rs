//! Changed inputs for whatever reads bytes, for as long as somebody has time. Plain tests try a short fixed round of the same.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::cargo;

#[derive(Args)]
pub(crate) struct Fuzz {
    /// Time for all readers together; building is not counted.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Instead: so many changed scenarios through the whole program, played in the lab in memory where they are accepted.
    #[arg(long)]
    scenarios: Option<u64>,
    /// Repeats a round: the seed that it printed. Without it each round has its own.
    #[arg(long)]
    seed: Option<u64>,
}

/// Package, and which of its tests reads bytes.
const READERS: [(&str, &[&str]); 2] = [
    ("wetdress-plan", &["--test", "fuzz"]),
    ("wetdress-fabric", &["--lib", "no_frame_breaks_what_reads_it"]),
];

pub(crate) fn run(root: &Path, asked: &Fuzz) -> Result<()> {
    if let Some(scenarios) = asked.scenarios {
        return test(root, asked, "wetdress", &["--test", "mutations"], ("SCENARIOS", scenarios));
    }
    let seconds = (asked.seconds / READERS.len() as u64).max(1);
    for (package, test) in READERS {
        self::test(root, asked, package, test, ("SECONDS", seconds))?;
    }
    Ok(())
}

/// One test for so many seconds or scenarios.
fn test(
    root: &Path,
    asked: &Fuzz,
    package: &str,
    test: &[&str],
    (unit, amount): (&str, u64),
) -> Result<()> {
    let mut command = Command::new(cargo());
    command.args(["test", "--quiet", "--package", package]).args(test);
    command.args(["--", "--nocapture"]).current_dir(root);
    command.env(format!("WETDRESS_FUZZ_{unit}"), amount.to_string());
    if let Some(seed) = asked.seed {
        command.env("WETDRESS_FUZZ_SEED", seed.to_string());
    }
    println!(
        "$ cargo test --package {package} {}, {amount} {}",
        test.join(" "),
        unit.to_lowercase()
    );
    let status = command.status().context("failed to start cargo")?;
    ensure!(status.success(), "an input breaks `{package}`; the lines above say which");
    Ok(())
}
