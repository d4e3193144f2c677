//! Runs shipped scenarios for real by `wetdress run` of them all, and says whether each ended as it should.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::sh;

#[derive(Args)]
pub(crate) struct Scenarios {
    /// `drills`, `gates`, `flagship`, `all` of these; `ci`: those that ci/drills.txt lists; `librdkafka`: with a build that has the library.
    #[arg(long)]
    run: String,
    /// Only files with this in their names.
    #[arg(long, default_value = "")]
    only: String,
    /// Each file so many times in a row.
    #[arg(long, default_value_t = 1)]
    times: u32,
    /// Writes the figures as a Markdown page.
    #[arg(long)]
    table: Option<PathBuf>,
}

/// A run that is inconclusive, as on a machine whose disk stands still, is tried once more, so many times in all; one may be inconclusive
/// both times.
const RETRIES: &str = "4";
const INCONCLUSIVE_MAX: usize = 1;
/// Scenarios that only a build with the library runs.
const LIBRDKAFKA: &str = "librdkafka";

/// What `wetdress run --json` says of several runs.
#[derive(Deserialize)]
struct Told {
    runs: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    scenario: PathBuf,
    /// None where it was not run.
    exit: Option<u8>,
}

pub(crate) fn run(root: &Path, asked: &Scenarios) -> Result<()> {
    let files = files(root, asked)?;
    let mut build = vec!["build", "--quiet", "--package", "wetdress"];
    if asked.run == LIBRDKAFKA {
        build.extend(["--features", "kafka-librdkafka"]);
    }
    sh(root, &build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let runs = tempfile::tempdir().context("failed to make a folder for the runs")?;
    let mut command = Command::new(target.join("debug/wetdress"));
    command.args(["run", "--json", "--skip-missing", "--retries", RETRIES, "--times"]);
    command.arg(asked.times.to_string()).arg("--runs").arg(runs.path());
    if let Some(page) = &asked.table {
        command.arg("--table").arg(page);
    }
    command.args(&files).env("NO_COLOR", "1").current_dir(root).stderr(Stdio::inherit());
    let said = command.output().context("failed to start wetdress")?.stdout;
    let Told { runs } =
        serde_json::from_slice(&said).context("wetdress said nothing of its runs")?;
    judge(&runs)
}

/// Each is to end with exit 0, which where a scenario says `expect` means that exactly what it expects came out.
fn judge(runs: &[Row]) -> Result<()> {
    let (mut passed, mut failed, mut open, mut skipped) = (0, 0, 0, 0);
    for Row { scenario, exit } in runs {
        match exit {
            Some(0) => passed += 1,
            // Whether a percentile can be decided is the machine's to say; a shared one may only warn.
            Some(2) if scenario.starts_with("scenarios/gates") => passed += 1,
            Some(2) => open += 1,
            None => skipped += 1,
            Some(exit) => {
                failed += 1;
                println!("FAILED: {} ended with exit code {exit}", scenario.display());
            }
        }
    }
    println!("{open} inconclusive, each tried once more (at most {INCONCLUSIVE_MAX} is tolerated)");
    if open <= INCONCLUSIVE_MAX {
        passed += open
    } else {
        failed += open
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ensure!(failed == 0, "{failed} did not end as they should");
    Ok(())
}

fn files(root: &Path, asked: &Scenarios) -> Result<Vec<PathBuf>> {
    let scenarios = Path::new("scenarios");
    let folder = |name: &str| -> Result<Vec<PathBuf>> {
        let listed =
            fs::read_dir(root.join(scenarios).join(name)).context("failed to list scenarios")?;
        let found: BTreeSet<PathBuf> = listed
            .filter_map(Result::ok)
            .map(|entry| scenarios.join(name).join(entry.file_name()))
            .collect();
        Ok(found
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect())
    };
    let all = match asked.run.as_str() {
        "drills" | "gates" | "flagship" | LIBRDKAFKA => folder(&asked.run)?,
        "all" => [
            vec![scenarios.join("first.yaml")],
            folder("drills")?,
            folder("gates")?,
            folder("flagship")?,
        ]
        .concat(),
        "ci" => listed(root)?,
        other => bail!(
            "nothing is called {other}: there is drills, gates, flagship, all, ci and librdkafka"
        ),
    };
    let named = |path: &PathBuf| path.to_string_lossy().contains(&asked.only);
    let files: Vec<_> = all.into_iter().filter(named).collect();
    ensure!(!files.is_empty(), "no scenario of `{}` has `{}` in its name", asked.run, asked.only);
    Ok(files)
}

/// A file a line; what follows `#` is a comment.
fn listed(root: &Path) -> Result<Vec<PathBuf>> {
    let text =
        fs::read_to_string(root.join("ci/drills.txt")).context("failed to read ci/drills.txt")?;
    let lines = text.lines().filter_map(|line| line.split('#').next()).map(str::trim);
    let files: Vec<_> = lines.filter(|line| !line.is_empty()).map(PathBuf::from).collect();
    let absent = files.iter().find(|file| !root.join(file).is_file());
    ensure!(absent.is_none(), "ci/drills.txt names {absent:?}, which is not there");
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_ci_runs_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        assert!(listed(root).expect("every line is a file").len() > 5);
    }
}
