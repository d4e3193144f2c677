//! `wetdress run` of several scenarios, or of one several times: each in a process of its own, since a lab is entered by a fork of a program
//! that has no threads yet; then one table and one exit code.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use reports::{Figures, markdown_table};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    signal::unix::{Signal as Signals, SignalKind, signal},
};

use crate::{
    args::{OnInconclusive, Packets, Run},
    console,
    exit::Exit,
    scenario, servers,
};

/// One scenario of several.
struct Part {
    file: PathBuf,
    lasts: Duration,
    /// Servers that are not here.
    lacks: Vec<String>,
}

/// What the process of one run said on its stdout.
#[derive(Debug, Deserialize)]
struct Told {
    folder: PathBuf,
    figures: Figures,
    screen: String,
}

/// How one run ended.
#[derive(Debug, Serialize)]
struct Row {
    scenario: PathBuf,
    /// None where it was not run.
    exit: Option<u8>,
    /// Why it was not run, or has no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
}

/// Runs every scenario so many times, one after the other.
///
/// # Errors
/// Some scenario has mistakes or needs what is not here, and nothing was started; or the table could not be written.
pub(crate) fn run(args: &Run, color: bool) -> Result<Exit, Exit> {
    let parts = parts(args, color)?;
    announce(&parts, args.times);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let rows = runtime.and_then(|runtime| runtime.block_on(run_all(args, &parts)));
    let rows = rows.map_err(|error| {
        console::error(&format!("failed to run one scenario after the other: {error}"));
        Exit::BrokeOff
    })?;
    let exit = exit_of(&rows);
    let table = table(&COLUMNS, &rows);
    let page = args.table.as_deref().map_or(Ok(()), |page| write_page(page, &rows));
    if args.reading.json {
        console::talk(&format!("\n{table}"));
        console::json(&json!({"exit": exit as u8, "runs": rows}))?;
    } else {
        console::data(&format!("\n{table}"))?;
    }
    console::talk(&tally(&rows));
    page.map(|()| exit)
}

/// Reads every file before anything starts, so that all mistakes of all files are told at once.
fn parts(args: &Run, color: bool) -> Result<Vec<Part>, Exit> {
    let (mut parts, mut wrong) = (vec![], None);
    for file in files(&args.files)? {
        match scenario::read_file(&file, &args.reading, color) {
            Ok(scenario::Read { plan, .. }) => {
                let (lasts, lacks) = (plan.latest_end(), servers::missing(&plan));
                parts.push(Part { file, lasts, lacks });
            }
            Err(exit) => wrong = Some(exit),
        }
    }
    if let Some(exit) = wrong {
        return Err(exit);
    }
    let lacking: Vec<String> = parts.iter().flat_map(|part| part.lacks.clone()).collect();
    if args.skip_missing || lacking.is_empty() {
        return Ok(parts);
    }
    Err(servers::refused("the scenarios need", &lacking, "`--skip-missing` runs the others"))
}

/// Files as they are given; of a folder those directly in it that end with `.yaml` or `.yml`, by name.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    let mut files = vec![];
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let listed = fs::read_dir(path).map_err(|error| {
            console::error(&format!("failed to list {}: {error}", path.display()));
            Exit::Usage
        })?;
        let is_scenario = |path: &PathBuf| {
            path.extension().is_some_and(|end| end == "yaml" || end == "yml") && !path.is_dir()
        };
        let mut found: Vec<PathBuf> =
            listed.filter_map(Result::ok).map(|entry| entry.path()).filter(is_scenario).collect();
        if found.is_empty() {
            console::error(&format!("there is no scenario (*.yaml) in {}", path.display()));
            return Err(Exit::Usage);
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn announce(parts: &[Part], times: u32) {
    let once: Duration =
        parts.iter().filter(|part| part.lacks.is_empty()).map(|part| part.lasts).sum();
    console::talk(&format!(
        "{} of {}: about {} min, beside the start of the servers",
        count(parts.len() * times as usize, "run", "runs"),
        count(parts.len(), "scenario", "scenarios"),
        (once * times).as_secs().div_ceil(60),
    ));
}

async fn run_all(args: &Run, parts: &[Part]) -> std::io::Result<Vec<Row>> {
    let mut stop = Stop::listen()?;
    let (mut rows, mut retries) = (vec![], args.retries);
    let all = parts.iter().flat_map(|part| (0..args.times).map(move |_| part));
    let many = parts.len() * args.times as usize;
    for (at, part) in all.enumerate() {
        if stop.asked {
            rows.push(part.not_run("interrupted before it began"));
            continue;
        }
        if !part.lacks.is_empty() {
            let why = part.lacks.join("; ");
            console::talk(&format!("\nskipped: {}: {why}", part.file.display()));
            rows.push(part.not_run(&why));
            continue;
        }
        console::talk(&format!("\n-- {} of {many}: {}", at + 1, part.file.display()));
        let mut row = run_one(args, part, &mut stop).await?;
        if row.exit == Some(Exit::Inconclusive as u8) && retries > 0 && !stop.asked {
            retries -= 1;
            console::talk(&format!("\n-- {} once more: it was inconclusive", part.file.display()));
            row = run_one(args, part, &mut stop).await?;
        }
        rows.push(row);
    }
    Ok(rows)
}

async fn run_one(args: &Run, part: &Part, stop: &mut Stop) -> std::io::Result<Row> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(words(args, &part.file))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // A signal of the terminal comes here, and is handed on once.
        .process_group(0)
        .spawn()?;
    let mut said = vec![];
    let mut out = child.stdout.take().expect("it was piped");
    let read = out.read_to_end(&mut said);
    tokio::pin!(read);
    loop {
        tokio::select! {
            done = &mut read => {
                let _bytes = done?;
                break;
            }
            () = stop.next() => hand_on(&child),
        }
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = stop.next() => hand_on(&child),
        }
    };
    let exit = Some(status.code().map_or(Exit::BrokeOff, Exit::from_code) as u8);
    let scenario = part.file.clone();
    Ok(match serde_json::from_slice::<Told>(&said) {
        Ok(Told { folder, figures, screen }) => {
            console::talk(&screen);
            Row { scenario, exit, why: None, folder: Some(folder), figures: Some(figures) }
        }
        Err(_) => {
            let why = Some("it came to no verdict; why is told above".to_owned());
            Row { scenario, exit, why, folder: None, figures: None }
        }
    })
}

/// The command line of one run.
fn words(args: &Run, file: &Path) -> Vec<std::ffi::OsString> {
    let mut words: Vec<std::ffi::OsString> =
        ["run", "--json", "--end-with-parent", "--runs"].map(Into::into).to_vec();
    words.push(args.runs.clone().into());
    if let Some(stack) = &args.reading.stack {
        words.extend(["--stack".into(), stack.clone().into()]);
    }
    if let Some(seed) = args.reading.seed {
        words.extend(["--seed".into(), seed.to_string().into()]);
    }
    for setting in &args.lab {
        words.extend(["--lab".into(), setting.to_string().into()]);
    }
    if args.packets == Packets::Always {
        words.extend(["--packets", "always"].map(Into::into));
    }
    if args.judging.on_inconclusive == OnInconclusive::Warn {
        words.extend(["--on-inconclusive", "warn"].map(Into::into));
    }
    words.extend(["--".into(), file.into()]);
    words
}

/// A process that has just ended needs no signal.
fn hand_on(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let _ended = pid.map(|pid| kill_process(pid, Signal::INT));
}

/// Somebody wants an end: the run that goes on is told so, and none begins after it.
struct Stop {
    signals: [Signals; 3],
    asked: bool,
}

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let of = |kind| signal(kind);
        let signals =
            [of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?];
        Ok(Self { signals, asked: false })
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        self.asked = true;
    }
}

impl Part {
    fn not_run(&self, why: &str) -> Row {
        let why = Some(why.to_owned());
        Row { scenario: self.file.clone(), exit: None, why, folder: None, figures: None }
    }
}

/// A gate that failed says something of the stack, and comes before trouble of the lab's or of ours; where nothing was run, nothing is up.
fn exit_of(rows: &[Row]) -> Exit {
    let ended: Vec<Exit> =
        rows.iter().filter_map(|row| row.exit).map(|code| Exit::from_code(code.into())).collect();
    let order = [
        Exit::Interrupted,
        Exit::Fail,
        Exit::BrokeOff,
        Exit::NotUp,
        Exit::Mistakes,
        Exit::Usage,
        Exit::Inconclusive,
        Exit::Pass,
    ];
    order.into_iter().find(|exit| ended.contains(exit)).unwrap_or(Exit::NotUp)
}

/// A column of the table: its head, and what it says of a run.
type Column = (&'static str, fn(&Row, &Figures) -> String);

const COLUMNS: [Column; 6] = [
    ("scenario", |row, _| row.scenario.display().to_string()),
    ("ended", |row, _| ended(row)),
    ("RTO", |_, figures| figures.rto.clone()),
    ("rto.service", |_, figures| figures.rto_service.clone()),
    ("longest outage", |_, figures| figures.longest_outage.clone()),
    ("acked and lost", |_, figures| figures.acked_lost.clone()),
];
/// Wide, and the same in every run of a machine: for the page only.
const SERVERS: Column = ("servers", |_, figures| figures.servers.join(", "));

fn table(columns: &[Column], rows: &[Row]) -> String {
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let cells = |row: &Row| {
        let figures = row.figures.clone().unwrap_or_default();
        columns.iter().map(|(_, says)| says(row, &figures)).collect()
    };
    markdown_table(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// `pass`, or with the reason: `fail (exit 1): rto`.
fn ended(row: &Row) -> String {
    match (row.exit, &row.figures) {
        (None, _) => "not run".to_owned(),
        (Some(0), Some(figures)) => figures.verdict.clone(),
        (Some(exit), Some(figures)) => format!("{} (exit {exit})", figures.verdict),
        (Some(exit), None) => format!("no verdict (exit {exit})"),
    }
}

/// `11 passed, 1 failed, 0 inconclusive, 2 not run`; other ends are named by their exit codes.
fn tally(rows: &[Row]) -> String {
    let ended = |code: Option<u8>| rows.iter().filter(|row| row.exit == code).count();
    let of = |exit: Exit| ended(Some(exit as u8));
    let (passed, failed, open) = (of(Exit::Pass), of(Exit::Fail), of(Exit::Inconclusive));
    let not_run = ended(None);
    let other = rows.len() - passed - failed - open - not_run;
    format!(
        "{passed} passed, {failed} failed, {open} inconclusive, {other} broke off, {not_run} not run"
    )
}

fn write_page(page: &Path, rows: &[Row]) -> Result<(), Exit> {
    fs::write(page, page_of(rows)).map_err(|error| {
        console::error(&format!("failed to write {}: {error}", page.display()));
        Exit::BrokeOff
    })
}

/// For a documentation folder: with the servers' versions and the date.
fn page_of(rows: &[Row]) -> String {
    let columns: Vec<Column> =
        [COLUMNS[0], SERVERS].into_iter().chain(COLUMNS.into_iter().skip(1)).collect();
    let table = table(&columns, rows);
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap_or(&now);
    format!(
        "# Drills, measured\n\nWritten by `wetdress run --table FILE` on {date}, a line for each run. RTO and rto.service are what a gate of the \
         scenario saw (`-`: it has no such gate); the longest outage is that of the worst asset, from intended times; what was acked and \
         lost is counted after the heal. Failovers are timers with more than one outcome: repeat a drill before you quote it.\n\n{table}"
    )
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(exit: Option<Exit>) -> Row {
        let exit = exit.map(|exit| exit as u8);
        Row { scenario: "a.yaml".into(), exit, why: None, folder: None, figures: None }
    }

    #[test]
    fn one_exit_code_says_the_worst_that_the_runs_said() {
        let of = |exits: &[Option<Exit>]| {
            exit_of(&exits.iter().map(|exit| row(*exit)).collect::<Vec<_>>())
        };
        let (pass, fail) = (Some(Exit::Pass), Some(Exit::Fail));
        assert_eq!(of(&[pass, None, pass]), Exit::Pass);
        assert_eq!(of(&[pass, Some(Exit::Inconclusive)]), Exit::Inconclusive);
        assert_eq!(of(&[Some(Exit::NotUp), Some(Exit::Inconclusive)]), Exit::NotUp);
        assert_eq!(of(&[Some(Exit::BrokeOff), fail]), Exit::Fail);
        assert_eq!(of(&[fail, Some(Exit::Interrupted)]), Exit::Interrupted);
        assert_eq!(of(&[None]), Exit::NotUp, "nothing was run");
    }
}
