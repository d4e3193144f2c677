//! Runs shipped scenarios for real, one after the other, and checks that each ends as it should: exit 0, which where a scenario says `expect`
//! means that exactly what it expects came out. Ends with one table.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::sh;

#[derive(Args)]
pub(crate) struct Scenarios {
    /// `drills`, `gates`, `flagship`, `all`, or `ci`: those that ci/drills.txt lists.
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
const TRIED_AGAIN_MAX: u32 = 4;
const INCONCLUSIVE_MAX: usize = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Inconclusive,
    Skipped,
}

struct Row {
    name: String,
    end: End,
    figures: Figures,
}

/// What a table shows of a run; empty where it was not run.
#[derive(Default)]
struct Figures {
    system: String,
    verdict: String,
    rto: String,
    rto_service: String,
    longest: String,
    lost: String,
}

pub(crate) fn run(root: &Path, asked: &Scenarios) -> Result<()> {
    let files = files(root, asked)?;
    sh(root, &["build", "--quiet", "--package", "wetdress"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let runs = tempfile::tempdir().context("failed to make a folder for the runs")?;
    let runner = Runner { wetdress: target.join("debug/wetdress"), root, runs: runs.path() };
    let (mut rows, mut again) = (vec![], 0);
    for file in files.iter().flat_map(|file| (0..asked.times).map(move |_| file)) {
        rows.push(runner.one(file, &mut again)?);
    }
    let table = table(&rows);
    println!("\n{table}");
    if let Some(page) = &asked.table {
        fs::write(page, page_of(&table)).with_context(|| format!("failed to write {page:?}"))?;
    }
    let count = |end| rows.iter().filter(|row| row.end == end).count();
    let open = count(End::Inconclusive);
    println!(
        "{open} inconclusive (at most {INCONCLUSIVE_MAX} is tolerated), {again} tried once more"
    );
    let tolerated = if open <= INCONCLUSIVE_MAX { open } else { 0 };
    let failed = count(End::Failed) + open - tolerated;
    println!(
        "{} passed, {failed} failed, {} skipped",
        count(End::Passed) + tolerated,
        count(End::Skipped)
    );
    ensure!(failed == 0, "{failed} did not end as they should");
    Ok(())
}

fn files(root: &Path, asked: &Scenarios) -> Result<Vec<PathBuf>> {
    let scenarios = root.join("scenarios");
    let folder = |name: &str| -> Result<Vec<PathBuf>> {
        let listed = fs::read_dir(scenarios.join(name)).context("failed to list scenarios")?;
        let found: BTreeSet<PathBuf> =
            listed.filter_map(Result::ok).map(|entry| entry.path()).collect();
        Ok(found
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
            .collect())
    };
    let all = match asked.run.as_str() {
        "drills" | "gates" | "flagship" => folder(&asked.run)?,
        "all" => [
            vec![scenarios.join("first.yaml")],
            folder("drills")?,
            folder("gates")?,
            folder("flagship")?,
        ]
        .concat(),
        "ci" => listed(root)?,
        other => bail!("nothing is called {other}: there is drills, gates, flagship, all and ci"),
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
    let files: Vec<_> = lines.filter(|line| !line.is_empty()).map(|line| root.join(line)).collect();
    let absent = files.iter().find(|file| !file.is_file());
    ensure!(absent.is_none(), "ci/drills.txt names {absent:?}, which is not there");
    Ok(files)
}

struct Runner<'a> {
    wetdress: PathBuf,
    root: &'a Path,
    runs: &'a Path,
}

impl Runner<'_> {
    fn one(&self, file: &Path, again: &mut u32) -> Result<Row> {
        let name = file.strip_prefix(self.root).unwrap_or(file).display().to_string();
        let lacks =
            self.wetdress("doctor").arg(file).output().context("failed to start wetdress")?;
        // A scenario without servers needs nothing of the machine; of others the doctor says what is missing.
        if !lacks.status.success() && !is_in_memory(file)? {
            let said = String::from_utf8_lossy(&lacks.stdout);
            let missing =
                said.lines().filter(|line| line.starts_with("missing")).collect::<Vec<_>>();
            println!("\nskipped: {name}: {}", missing.join("; "));
            return Ok(Row { name, end: End::Skipped, figures: Figures::default() });
        }
        println!("\n-- {name}");
        let mut end = self.run(file)?;
        if end == End::Inconclusive && *again < TRIED_AGAIN_MAX {
            *again += 1;
            println!("\n-- {name} once more: it was inconclusive");
            end = self.run(file)?;
        }
        if end == End::Failed {
            println!("FAILED: {name} did not end with exit code 0");
        }
        Ok(Row { name, end, figures: Figures::of(&self.runs.join("latest")).unwrap_or_default() })
    }

    fn run(&self, file: &Path) -> Result<End> {
        let begun = Instant::now();
        let mut command = self.wetdress("run");
        command.arg(file).arg("--runs").arg(self.runs);
        // Whether a percentile can be decided is the machine's to say; a shared one may only warn.
        if file.parent().is_some_and(|folder| folder.ends_with("gates")) {
            command.args(["--on-inconclusive", "warn"]);
        }
        let status = command.status().context("failed to start wetdress")?;
        println!("   took {} s", begun.elapsed().as_secs());
        Ok(match status.code() {
            Some(0) => End::Passed,
            Some(2) => End::Inconclusive,
            _ => End::Failed,
        })
    }

    fn wetdress(&self, word: &str) -> Command {
        let mut command = Command::new(&self.wetdress);
        command.arg(word).env("NO_COLOR", "1").current_dir(self.root);
        command
    }
}

fn is_in_memory(file: &Path) -> Result<bool> {
    let text = fs::read_to_string(file).with_context(|| format!("failed to read {file:?}"))?;
    Ok(text.lines().any(|line| line.trim_start().starts_with("lab: pretend")))
}

impl Figures {
    /// From a run's folder.
    fn of(run: &Path) -> Option<Self> {
        let summary: Value = serde_json::from_slice(&fs::read(run.join("run.json")).ok()?).ok()?;
        let events = fs::read_to_string(run.join("events.jsonl")).ok()?;
        let (findings, verdicts) = (&summary["body"]["findings"], &summary["body"]["verdicts"]);
        let ready = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let versions: BTreeSet<String> = ready
            .filter_map(|record| Some(record["event"]["version"].as_str()?.to_owned()))
            .collect();
        let of_gate = |kind: &str| {
            let gates = verdicts["gates"].as_array().into_iter().flatten();
            let mut mine = gates.filter(|gate| gate["kind"] == kind);
            mine.next().and_then(|gate| gate["observed"].as_str()).unwrap_or("-").to_owned()
        };
        let failed = verdicts["gates"].as_array().into_iter().flatten();
        let failed: Vec<_> = failed
            .filter(|gate| gate["verdict"] == "fail")
            .filter_map(|gate| gate["name"].as_str())
            .collect();
        let verdict = verdicts["verdict"].as_str().unwrap_or("-");
        let expected = verdicts["expected"]["came_out"] == "pass";
        let verdict = match (failed.is_empty(), expected) {
            (true, _) => verdict.to_owned(),
            (false, true) => format!("{verdict}, as expected: {}", failed.join(", ")),
            (false, false) => format!("{verdict}: {}", failed.join(", ")),
        };
        let longest = findings["longest_outage"]["all"]["max"].as_u64()?;
        let (lost, acked) =
            (findings["loss"]["count"].as_u64()?, findings["loss"]["acked"].as_u64()?);
        Some(Self {
            system: versions.into_iter().collect::<Vec<_>>().join(", "),
            verdict,
            rto: of_gate("rto"),
            rto_service: of_gate("rto.service"),
            longest: format!("{:.1} s", longest as f64 / 1e6),
            lost: format!("{lost} of {acked}"),
        })
    }
}

fn table(rows: &[Row]) -> String {
    let mut text =
        "| scenario | servers | verdict | RTO | rto.service | longest outage | acked and lost |\n\
                    | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for Row { name, end, figures } in rows {
        let Figures { system, verdict, rto, rto_service, longest, lost } = figures;
        let name = name.trim_start_matches("scenarios/").trim_end_matches(".yaml");
        let verdict = if *end == End::Skipped { "skipped" } else { verdict };
        text += &format!(
            "| {name} | {system} | {verdict} | {rto} | {rto_service} | {longest} | {lost} |\n"
        );
    }
    text
}

fn page_of(table: &str) -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap_or(&now);
    format!(
        "# Drills, measured\n\nWritten by `cargo xtask scenarios --run all --table docs/concepts/drills-measured.md` on {date}, one run of each. RTO and \
         rto.service are what a gate of the scenario saw (`-`: it has no such gate); the longest outage is that of the worst asset, from \
         intended times; what was acked and lost is counted after the heal. Failovers are timers: repeat a drill before you quote it.\n\n{table}"
    )
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
