//! `wetdress run`: reads the scenario, makes the run folder, runs the plan where it belongs, then judges and reports from the folder.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use findings::Verdict;
use local::sandbox::Outcome;
use model::{Plan, ServiceId, schedule::Draws, schedule::Purpose};
use run::{State, Summary};
use seams::{Clock, Lab, Site};
use traffic::Thread;

use crate::{
    args,
    cast::Cast,
    diary::Diary,
    drill::{Drill, Stopped},
    exit::Exit,
    judge,
    labs::{self, Place},
    progress::Progress,
    say,
    scenario::{self, Read},
    watch::chain,
};

/// Runs a scenario to its verdict.
pub(crate) fn run(args: &args::Run, color: bool) -> Exit {
    let Read { mut plan, text } = match scenario::read(&args.scenario, color) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let Some(place) = labs::CATALOG.find(&plan.lab.kind).map(|lab| lab.make) else {
        say::error(&format!(
            "this build has no lab `{}`; `wetdress list` shows what it has",
            plan.lab.kind
        ));
        return Exit::Mistakes;
    };
    if let Some(engine) = args.engine.word() {
        plan.lab.params["engine"] = engine.into();
    }
    if args.packets == args::Packets::Never && place == Place::Local {
        plan.lab.params["packets"] = serde_json::json!({"keep": "0s"});
    }
    let made = run::Folder::create(&args.runs, &folder_name(&plan), &plan, &text);
    let noted = made.and_then(|folder| {
        folder.write_summary(&Summary::new(State::Running, environment())).map(|()| folder)
    });
    let folder = match noted {
        Ok(folder) => folder,
        Err(error) => {
            say::error(&format!("failed to {}", chain(&error)));
            return Exit::NotUp;
        }
    };
    let quiet = args.scenario.json;
    if !quiet {
        say::talk(&format!(
            "{}: about {} s; run folder {}",
            plan.scenario,
            plan.latest_end().as_secs(),
            folder.path().display()
        ));
    }
    let ended = match place {
        Place::Pretend => pretend(plan, folder.clone(), quiet),
        Place::Local => local(plan, folder.clone(), quiet),
    };
    conclude(args, folder.path(), ended)
}

/// Everything is written before anything decides the exit code.
fn conclude(args: &args::Run, folder: &Path, ended: Exit) -> Exit {
    let judged = match judge::judge(folder) {
        Ok(judged) => judged,
        Err(why) => {
            say::error(&format!("the run cannot be judged: {why}"));
            return if ended == Exit::Pass { Exit::BrokeOff } else { ended };
        }
    };
    let mut exit = if ended == Exit::Pass { judged.exit(args.judging) } else { ended };
    if args.packets == args::Packets::OnFailure
        && ended == Exit::Pass
        && judged.verdicts.verdict == Verdict::Pass
    {
        forget_packets(&judged.loaded.folder);
    }
    if let Err(why) = judged.report(&judged.loaded.plan.reports) {
        say::error(&why);
        exit = if exit == Exit::Pass { Exit::BrokeOff } else { exit };
    }
    if args.scenario.json {
        say::json(
            &serde_json::json!({"folder": folder, "exit": exit as u8, "verdicts": judged.verdicts}),
        );
    } else {
        say::styled(&reports::summary(&judged.view()));
    }
    exit
}

/// Before the reports are written, so that none names a file that is gone.
fn forget_packets(folder: &run::Folder) {
    let packets = folder.packets();
    match fs::remove_dir_all(&packets) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            say::error(&format!("failed to remove {}: {error}", packets.display()));
        }
        _ => {}
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

/// Number of a run, part of every envelope: readings of another run are strangers.
fn run_number(folder: &run::Folder, plan: &Plan) -> u64 {
    Draws::of(plan.seed).named(&folder.path().display().to_string()).bits(Purpose::Message, 0)
}

fn site(plan: &Arc<Plan>, run: u64) -> impl Fn(&ServiceId) -> Site + use<> {
    let (topology, seed) = (Arc::new(plan.topology.clone()), plan.seed);
    move |service| Site { service: service.clone(), topology: topology.clone(), run, seed }
}

/// In memory, on a paused clock: no sandbox, no thread.
fn pretend(plan: Plan, folder: run::Folder, quiet: bool) -> Exit {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let run = run_number(&folder, &plan);
        let plan = Arc::new(plan);
        let lab = Arc::new(pretend::Pretend::new(plan.topology.clone(), plan.seed));
        let cast = Cast::new(&plan, site(&plan, run)).map_err(|error| chain(&error));
        drill(plan, cast, lab, folder, run, Thread::Callers, quiet, std::future::pending()).await
    })
}

/// In namespaces: the harness runs inside, this process stays outside and comes back when everything inside is gone.
fn local(plan: Plan, folder: run::Folder, quiet: bool) -> Exit {
    let outcome = local::sandbox::enter(|inside| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                say::error(&format!("failed to start the harness's threads: {error}"));
                return Exit::NotUp as u8;
            }
        };
        let exit = runtime.block_on(async move {
            let run = run_number(&folder, &plan);
            let plan = Arc::new(plan);
            let params = seams::catalog::stored::<local::Local>(&plan.lab.params)
                .expect("the plan was made by this build");
            let path: PathBuf = folder.path().to_owned();
            let lab = match local::LocalLab::new(
                inside,
                params,
                Arc::new(plan.topology.clone()),
                path,
                plan.seed,
            ) {
                Ok(lab) => Arc::new(lab) as Arc<dyn Lab>,
                Err(error) => {
                    say::error(&format!("failed to {}", chain(&error)));
                    return Exit::NotUp;
                }
            };
            let cast = Cast::new(&plan, site(&plan, run)).map_err(|error| chain(&error));
            drill(plan, cast, lab, folder, run, Thread::Own, quiet, asked_to_stop()).await
        });
        // Threads that still wait for the kernel must not hold up the end; the namespaces end them.
        runtime.shutdown_background();
        exit as u8
    });
    match outcome {
        Ok(Outcome::Exited(code)) => Exit::from_code(i32::from(code)),
        Ok(Outcome::Signalled(signal)) => {
            say::error(&format!("the harness was ended by signal {signal}"));
            Exit::BrokeOff
        }
        Ok(Outcome::Torn) => {
            say::error("somebody killed the sandbox, and with it everything inside");
            Exit::BrokeOff
        }
        Err(error) => {
            say::error(&format!(
                "failed to {}; `wetdress doctor` says what this machine lacks",
                chain(&error)
            ));
            Exit::NotUp
        }
    }
}

/// SIGTERM is the supervisor's request to stop in good order.
async fn asked_to_stop() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[allow(clippy::too_many_arguments, reason = "the two places differ in exactly these")]
async fn drill(
    plan: Arc<Plan>,
    cast: Result<Cast, String>,
    lab: Arc<dyn Lab>,
    folder: run::Folder,
    run: u64,
    thread: Thread,
    quiet: bool,
    interrupt: impl Future<Output = ()>,
) -> Exit {
    let cast = match cast {
        Ok(cast) => cast,
        Err(why) => {
            say::error(&format!("failed to {why}"));
            return Exit::Mistakes;
        }
    };
    let clock = Clock::unarmed();
    let (diary, writing) = match Diary::open(&folder, clock.clone(), Progress::new(quiet)) {
        Ok(opened) => opened,
        Err(error) => {
            say::error(&format!("failed to {}", chain(&error)));
            return Exit::NotUp;
        }
    };
    let ended = Drill { plan, cast, lab, folder, run, clock, diary, thread }.run(interrupt).await;
    let written = writing.await;
    if !matches!(written, Ok(Ok(()))) {
        say::error("the journal of events could not be written to its end");
        return Exit::BrokeOff;
    }
    match ended {
        Ok(()) => Exit::Pass,
        Err(Stopped::NotUp(why)) => {
            say::error(&why);
            Exit::NotUp
        }
        Err(Stopped::Broke(why)) => {
            say::error(&why);
            Exit::BrokeOff
        }
        Err(Stopped::Interrupted) => Exit::Interrupted,
    }
}

/// The text of a file, or a message that says what to do.
pub(crate) fn text_of(path: &Path) -> Result<String, Exit> {
    fs::read_to_string(path).map_err(|error| {
        say::error(&format!("failed to read {}: {error}", path.display()));
        Exit::Usage
    })
}
