//! `wetdress run`: reads the scenario, makes the run folder, runs the plan where it belongs, then judges and reports from the folder.

use std::{fs, path::Path, sync::Arc, time::SystemTime};

use drill::{Cast, Drill, DrillError, Journal, Kinds, Lacking, Load, chain, run_number};
use findings::Verdict;
use model::Plan;
use plan::Setting;
use reports::Figures;
use run::{State, Summary};
use rustix::process::{Signal, set_parent_process_death_signal};
use seams::{Clock, Ended, Entered, LabError, LabKind, LabSetup, MakeLab, Traffic};
use serde_json::json;
use traffic::{Fleets, Setup, Thread};

use crate::{
    args, batch,
    catalogs::{SYSTEMS, catalogs},
    console,
    exit::Exit,
    judge, labs, machine, panics,
    progress::Progress,
    scenario::{self, Read},
    secrets, servers,
};

/// Runs a scenario to its verdict.
///
/// # Errors
/// It did not get so far, or what was found could not be said: this is the exit code.
pub(crate) fn run(args: &args::Run, color: bool) -> Result<Exit, Exit> {
    let [file] = &args.files[..] else { return batch::run(args, color) };
    if args.times > 1 || args.retries > 0 || args.table.is_some() || file.is_dir() {
        return batch::run(args, color);
    }
    if args.end_with_parent {
        end_with_parent();
    }
    let Read { plan, text } = scenario::read_file(file, &args.reading, color)?;
    let asked = Asked { text: &text, lab: &args.lab, runs: &args.runs };
    let (folder, ended) = record(plan, &asked, color)?;
    conclude(args, &folder, ended)
}

/// Asks the kernel for a request to stop when the parent is gone. A parent that is gone already is noticed by nobody: what this run writes
/// nobody reads then, and the run ends by itself as every run does.
fn end_with_parent() {
    // Linux has had this for longer than the namespaces that every lab needs.
    let _asked = set_parent_process_death_signal(Some(Signal::TERM));
}

/// How a plan is to be run.
pub(crate) struct Asked<'a> {
    /// Of the scenario.
    pub(crate) text: &'a str,
    pub(crate) lab: &'a [Setting],
    pub(crate) runs: &'a Path,
}

/// Runs a plan to its end, or to whatever ends it, and closes its folder; nothing is judged.
///
/// # Errors
/// It did not begin: this is the exit code.
pub(crate) fn record(
    mut plan: Plan,
    asked: &Asked<'_>,
    color: bool,
) -> Result<(run::Folder, Exit), Exit> {
    let Asked { text, lab, runs } = *asked;
    if let Err(mistakes) = plan::set_lab(&mut plan, lab, &catalogs()) {
        console::talk(mistakes.render(color).trim_end());
        return Err(Exit::Usage);
    }
    machine::carries(&plan)?;
    secrets::are_there(&plan)?;
    servers::are_installed(&plan)?;
    let lab = labs::CATALOG.find(&plan.lab.kind).expect("the plan was read with this catalog");
    let folder = folder(runs, &plan, text)?;
    panics::of_run(folder.path());
    // Where the file system has no locks, nobody can see that the run goes on, and nothing else is lost.
    let _held = folder.hold().ok();
    console::talk(&format!(
        "{}: about {} s; run folder {}",
        plan.scenario,
        plan.latest_end().as_secs(),
        folder.path().display()
    ));
    let ended = panics::caught(|| enter(lab.make, plan, folder.clone()));
    let ended = close(&folder, ended.unwrap_or(Exit::BrokeOff));
    Ok((folder, ended))
}

fn folder(runs: &Path, plan: &Plan, scenario: &str) -> Result<run::Folder, Exit> {
    if runs.exists() && !runs.is_dir() {
        console::error(&format!(
            "failed to make a folder in {}: it is a file; `--runs` takes a folder",
            runs.display()
        ));
        return Err(Exit::Usage);
    }
    let made = run::Folder::create(runs, &folder_name(plan), plan, scenario);
    let noted = made.and_then(|folder| {
        folder.write_summary(&Summary::new(State::Running, environment())).map(|()| folder)
    });
    let folder = noted.map_err(|error| failed(&error, Exit::NotUp))?;
    // The run goes on without: its folder has a name of its own.
    if let Err(error) = folder.point_latest() {
        failed(&error, Exit::Pass);
    }
    Ok(folder)
}

/// Nobody writes to the folder any more. Without this it reads as that of a run that was killed.
fn close(folder: &run::Folder, ended: Exit) -> Exit {
    let panicked = panics::kept(folder.path());
    let ended = if panicked.is_some() { Exit::BrokeOff } else { ended };
    let why = panicked.map_or_else(
        || {
            format!(
                "the harness ended with the exit code {} before its lab was closed",
                ended as u8
            )
        },
        |said| format!("there is a mistake in wetdress: {said}"),
    );
    broke(folder, &why);
    match folder.close() {
        Ok(()) => ended,
        Err(error) => failed(&error, if ended == Exit::Pass { Exit::BrokeOff } else { ended }),
    }
}

/// Everything is written before anything decides the exit code.
fn conclude(args: &args::Run, folder: &run::Folder, ended: Exit) -> Result<Exit, Exit> {
    let judged = judge::judge(folder.path()).map_err(|why| {
        console::error(&format!("the run cannot be judged: {why}"));
        if ended == Exit::Pass { Exit::BrokeOff } else { ended }
    })?;
    let mut exit = if ended == Exit::Pass { judged.exit(args.judging) } else { ended };
    if args.packets == args::Packets::OnFailure
        && ended == Exit::Pass
        && judged.verdicts.verdict == Verdict::Pass
    {
        forget_packets(folder);
    }
    let stored = judged.stored.clone();
    for why in
        [stored, judged.report(&judged.loaded.plan.reports)].into_iter().filter_map(Result::err)
    {
        console::error(&why);
        exit = if exit == Exit::Pass { Exit::BrokeOff } else { exit };
    }
    let screen = reports::summary(&judged.view());
    if args.reading.json {
        console::json(&json!({
            "folder": folder.path().to_string_lossy(),
            "exit": exit as u8,
            "figures": Figures::of(&judged.view()),
            "verdicts": judged.verdicts,
            "screen": if args.end_with_parent { screen } else { console::plain(&screen) },
        }))?;
    } else {
        console::styled(&screen)?;
    }
    Ok(exit)
}

/// Before the reports are written, so that none names a file that is gone.
fn forget_packets(folder: &run::Folder) {
    if let Err(error) = folder.remove_packets() {
        console::error(&format!("failed to {}", chain(&error)));
    }
}

/// Where the run took place, as `run.json` keeps it: figures of two machines do not compare.
fn environment() -> serde_json::Value {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
        .ok()
        .map(|release| release.trim().to_owned());
    let cores = std::thread::available_parallelism().ok().map(std::num::NonZero::get);
    serde_json::json!({"environment": {"kernel": kernel, "cores": cores, "architecture": std::env::consts::ARCH}})
}

/// `20261123-155501-lose-west`; in UTC, so that folders sort by time everywhere.
fn folder_name(plan: &Plan) -> String {
    let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let digits: String = stamp.chars().filter(char::is_ascii_digit).collect();
    let plain =
        plan.scenario.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' });
    format!("{}-{}-{}", &digits[..8], &digits[8..], plain.collect::<String>())
}

/// Runs the plan where the harness of its lab lives, and comes back when everything inside has ended.
fn enter(kind: MakeLab, plan: Plan, folder: run::Folder) -> Exit {
    let setup = LabSetup {
        params: plan.lab.params.clone(),
        topology: Arc::new(plan.topology.clone()),
        seed: plan.seed,
        folder: folder.path().to_owned(),
    };
    let record = folder.clone();
    let inside = |entered| async move { drill(kind, entered, plan, folder).await as u8 };
    match kind.enter(setup, Box::new(|entered| Box::pin(inside(entered)))) {
        Ok(Ended::Returned(code)) => Exit::from_code(i32::from(code)),
        Ok(Ended::Signalled(signal)) => {
            let why = format!("the harness was ended by signal {signal}");
            broke(&record, &why);
            console::error(&why);
            Exit::BrokeOff
        }
        Ok(Ended::Interrupted) => {
            broke(&record, "it was interrupted twice, and everything inside was killed");
            Exit::Interrupted
        }
        Ok(Ended::Torn) => {
            let why = "somebody killed the sandbox, and with it everything inside";
            broke(&record, why);
            console::error(why);
            Exit::BrokeOff
        }
        Err(error) => not_begun(&record, &error, Exit::NotUp),
    }
}

/// Why a run ended before the journal of its drill could say it.
fn broke(folder: &run::Folder, why: &str) {
    if let Err(error) = folder.journal().and_then(|journal| journal.broke(why)) {
        failed(&error, Exit::BrokeOff);
    }
}

/// Nothing of the drill has happened: the reason is all that there is to record.
fn not_begun(folder: &run::Folder, error: &dyn std::error::Error, exit: Exit) -> Exit {
    broke(folder, &format!("failed to {}", chain(error)));
    failed(error, exit)
}

/// Runs the plan in the lab, and tells why it did not reach its end.
async fn drill(
    kind: &dyn LabKind,
    entered: Result<Entered, LabError>,
    plan: Plan,
    folder: run::Folder,
) -> Exit {
    let Entered { lab, interrupt } = match entered {
        Ok(entered) => entered,
        Err(error) => return not_begun(&folder, &error, Exit::NotUp),
    };
    let plan = Arc::new(plan);
    let kinds = Kinds { systems: SYSTEMS, faults: &faults::CATALOG };
    let cast = match Cast::new(&plan, kinds, run_number(&folder, &plan)) {
        Ok(cast) => cast,
        Err(error) => return not_begun(&folder, &error, Exit::Mistakes),
    };
    let progress = Arc::new(Progress::new());
    let journal = match Journal::open(&folder, Clock::unarmed(), progress.clone()) {
        Ok(journal) => journal,
        Err(error) => return failed(&error, Exit::NotUp),
    };
    let stop = async {
        tokio::select! {
            () = interrupt => DrillError::Interrupted,
            said = panics::happened() => DrillError::Panicked(said),
        }
    };
    let thread = if kind.simulated() { Thread::Callers } else { Thread::Own };
    let traffic = Box::new(move |Load { plan, run, network, drivers, folder, senders }| {
        let setup = Setup { plan, run, network, drivers, folder, senders };
        let fleets = Fleets::new(setup, thread)?;
        Ok(Box::new(fleets) as Box<dyn Traffic>)
    });
    let ended = Drill { plan, cast, kind, lab, folder, journal, traffic }.run(stop).await;
    progress.end();
    match ended {
        Ok(()) => Exit::Pass,
        // Who interrupts knows it.
        Err(DrillError::Interrupted) => Exit::Interrupted,
        Err(DrillError::NotOffered { lab, lacking }) => not_offered(&lab, &lacking),
        Err(error) => {
            let exit = exit_of(&error);
            failed(&error, exit)
        }
    }
}

/// One line for each place in the scenario, and what to do.
fn not_offered(lab: &str, lacking: &[Lacking]) -> Exit {
    let lines: String = lacking.iter().map(|lacking| format!("\n  {lacking}")).collect();
    console::error(&format!(
        "the lab `{lab}` cannot do on this machine what the scenario asks for:{lines}\n\
         Leave that out, or take a lab that can: another `lab` below `stack`, or `--stack FILE` for the stack of another file"
    ));
    Exit::NotUp
}

fn exit_of(error: &DrillError) -> Exit {
    match error {
        DrillError::NotOffered { .. }
        | DrillError::Lab(_)
        | DrillError::Service { .. }
        | DrillError::Ended { .. }
        | DrillError::NotReady { .. } => Exit::NotUp,
        DrillError::Run(_)
        | DrillError::Traffic(_)
        | DrillError::Trouble(_)
        | DrillError::Panicked(_)
        | DrillError::Journal(_) => Exit::BrokeOff,
        DrillError::Interrupted => Exit::Interrupted,
    }
}

fn failed(error: &dyn std::error::Error, exit: Exit) -> Exit {
    console::error(&format!("failed to {}", chain(error)));
    exit
}
