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
    let seconds = (asked.seconds / READERS.len() as u64).max(1);
    for (package, test) in READERS {
        let mut command = Command::new(cargo());
        command.args(["test", "--quiet", "--package", package]).args(test);
        command.args(["--", "--nocapture"]).current_dir(root);
        command.env("WETDRESS_FUZZ_SECONDS", seconds.to_string());
        if let Some(seed) = asked.seed {
            command.env("WETDRESS_FUZZ_SEED", seed.to_string());
        }
        println!("$ cargo test --package {package} {}, for {seconds} s", test.join(" "));
        let status = command.status().context("failed to start cargo")?;
        ensure!(status.success(), "an input breaks `{package}`; the lines above say which");
    }
    Ok(())
}
