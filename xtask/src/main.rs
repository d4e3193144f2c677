//! Chores in Rust. `cargo xtask --help` lists them.
//!
//! * `check`: what a change must pass
//! * `reference`: the generated pages and the schema
//! * `bench`: figures beside a named peer
//! * `fuzz`: changed inputs for whatever reads bytes
//! * `new`: another kind
//! * `scenarios`: shipped scenarios, run for real
#![allow(clippy::print_stdout, reason = "a chore talks to the person who runs it")]

mod bench;
mod check;
mod fuzz;
mod new;
mod reference;
mod scenarios;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

/// Chores of the wetdress workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Formatting, lints and tests: what CI asks, without the real servers.
    Check,
    /// Writes docs/reference and the JSON schema from the types; with --check says what differs and changes nothing.
    Reference {
        #[arg(long)]
        check: bool,
    },
    /// Measures against a named peer, prints the ratios beside their goals, and keeps them as JSON.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Hands changed inputs to the scenario reader and to the packet path; prints the seed, and keeps the input that breaks one.
    Fuzz(fuzz::Fuzz),
    /// Runs shipped scenarios for real, checks that each ends as it should, and shows a table of their figures.
    Scenarios(scenarios::Scenarios),
    /// Adds a kind: one file and its line in the catalog.
    #[command(subcommand)]
    New(New),
}

#[derive(Subcommand)]
enum New {
    /// A fault kind, such as `cargo xtask new fault slow-disk`.
    Fault { name: String },
    /// A gate kind, such as `cargo xtask new gate late-ones`.
    Gate { name: String },
    /// A report kind, such as `cargo xtask new report chat`.
    Report { name: String },
    /// A lab: a folder of labs/, such as `cargo xtask new lab bench`.
    Lab { name: String },
    /// A system: a folder of systems/, such as `cargo xtask new system postgres`.
    System { name: String },
}

fn main() -> Result<()> {
    let root = root()?;
    match Chore::parse() {
        Chore::Check => check::run(&root),
        Chore::Reference { check } => reference::run(&root, check),
        Chore::Bench(asked) => bench::run(&root, &asked),
        Chore::Fuzz(asked) => fuzz::run(&root, &asked),
        Chore::Scenarios(asked) => scenarios::run(&root, &asked),
        Chore::New(New::Fault { name }) => new::fault(&root, &name),
        Chore::New(New::Gate { name }) => new::gate(&root, &name),
        Chore::New(New::Report { name }) => new::report(&root, &name),
        Chore::New(New::Lab { name }) => new::lab(&root, &name),
        Chore::New(New::System { name }) => new::system(&root, &name),
    }
}

/// The workspace that this program was started in, so that a copy of the tree works on itself.
fn root() -> Result<PathBuf> {
    let asked = Command::new(cargo())
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .context("failed to ask cargo")?;
    ensure!(asked.status.success(), "no cargo workspace here; run it inside the project");
    let manifest =
        String::from_utf8(asked.stdout).context("the path of the workspace is not UTF-8")?;
    Ok(Path::new(manifest.trim()).parent().context("a manifest has a folder")?.to_owned())
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Runs a command in the workspace and shows what it prints.
fn sh(root: &Path, args: &[&str]) -> Result<()> {
    println!("$ cargo {}", args.join(" "));
    let status = Command::new(cargo())
        .args(args)
        .current_dir(root)
        .status()
        .context("failed to start cargo")?;
    ensure!(status.success(), "`cargo {}` failed", args.join(" "));
    Ok(())
}
