//! Ends that are not a verdict: an interrupted run, and runs that never begin.

use std::{fs, path::Path};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    host::Host,
    kills::{is_judged, state},
    stage::{Stage, User},
    started::Refused,
};

/// Nobody runs in these.
fn nothing_was_started(runs: &Path) {
    assert_eq!(fs::read_dir(runs).expect("made by the test").count(), 0, "no run folder");
}

pub(crate) fn mistakes_are_told_before_anything_starts(stage: &Stage) -> Result<(), Failed> {
    let place = stage.place("mistakes", User::This);
    let wrong =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/wrong/duplicate-key.yaml");
    let (runs, wrong) = (place.runs(), wrong.to_string_lossy().into_owned());
    let ran = place.output(&["run", "--runs", &runs.to_string_lossy(), &wrong]);
    let words = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{words}");
    assert!(words.contains("duplicate-key.yaml:"), "{words}");
    nothing_was_started(&runs);
    Ok(())
}

pub(crate) fn wrong_usage_is_told(stage: &Stage) -> Result<(), Failed> {
    let place = stage.place("usage", User::This);
    let runs = place.runs();
    let ran = place.output(&["run", "--fast", "--runs", &runs.to_string_lossy(), "first.yaml"]);
    let words = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(64), "{words}");
    assert!(words.contains("--fast"), "{words}");
    nothing_was_started(&runs);
    Ok(())
}

pub(crate) fn help_is_an_answer(stage: &Stage) -> Result<(), Failed> {
    let place = stage.place("help", User::This);
    let ran = place.output(&["--help"]);
    let words = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{words}");
    assert!(words.contains("Exit codes") && words.contains("judge"), "{words}");
    Ok(())
}

pub(crate) fn an_interrupted_run_ends_in_order(stage: &Stage) -> Result<(), Failed> {
    let host = Host::now();
    let mut run = stage.start("interrupted", User::This);
    if let Err(Refused(why)) = run.hear("fault cut-west proven") {
        eprintln!("skipped an_interrupted_run_ends_in_order: {why}");
        return Ok(());
    }
    run.census.hold_namespaces();
    kill_process(Pid::from_raw(run.pid()).expect("not zero"), Signal::INT)?;
    let status = run.gone();
    assert_eq!(status.code(), Some(130), "{}", run.words());
    assert_eq!(Host::now(), host, "mounts, devices and files of the host");
    let strange = run.place.strange_files();
    assert!(strange.is_empty(), "files outside the run folder: {strange:?}");
    let events = fs::read_to_string(run.place.run().join("events.jsonl")).expect("it had begun");
    assert!(events.contains(r#""what":"broke","why":"it was interrupted""#), "{events}");
    assert_eq!(state(&run.place), "broke");
    is_judged(&run.place, true);
    Ok(())
}

/// The second signal does not wait for anything; another one than the first, since two of one kind may arrive as one.
pub(crate) fn who_asks_twice_has_interrupted(stage: &Stage) -> Result<(), Failed> {
    let mut run = stage.start("twice", User::This);
    if let Err(Refused(why)) = run.hear("fault cut-west proven") {
        eprintln!("skipped who_asks_twice_has_interrupted: {why}");
        return Ok(());
    }
    run.census.hold_namespaces();
    let supervisor = Pid::from_raw(run.pid()).expect("not zero");
    kill_process(supervisor, Signal::INT)?;
    kill_process(supervisor, Signal::TERM)?;
    let status = run.gone();
    assert_eq!(status.code(), Some(130), "{}", run.words());
    let events = fs::read_to_string(run.place.run().join("events.jsonl")).expect("it had begun");
    assert!(events.contains("it was interrupted"), "{events}");
    assert_eq!(state(&run.place), "broke");
    is_judged(&run.place, true);
    Ok(())
}

/// The run that goes on ends in order, and none begins after it.
pub(crate) fn an_end_of_several_runs_ends_the_one_that_goes_on(
    stage: &Stage,
) -> Result<(), Failed> {
    let mut run = stage.start_times("several", User::This, 3);
    if let Err(Refused(why)) = run.hear("fault cut-west proven") {
        eprintln!("skipped an_end_of_several_runs_ends_the_one_that_goes_on: {why}");
        return Ok(());
    }
    run.census.hold_namespaces();
    kill_process(Pid::from_raw(run.pid()).expect("not zero"), Signal::INT)?;
    let status = run.gone();
    let words = run.words();
    assert_eq!(status.code(), Some(130), "{words}");
    assert!(words.contains("1 broke off, 2 not run"), "{words}");
    let events = fs::read_to_string(run.place.run().join("events.jsonl")).expect("it had begun");
    assert!(events.contains(r#""what":"broke","why":"it was interrupted""#), "{events}");
    is_judged(&run.place, true);
    Ok(())
}

/// Whoever starts several runs is no part of any of them: the one that goes on ends in order without it.
pub(crate) fn nothing_is_left_of_several_runs_that_are_killed(stage: &Stage) -> Result<(), Failed> {
    let mut run = stage.start_times("several-killed", User::This, 2);
    if let Err(Refused(why)) = run.hear("fault cut-west proven") {
        eprintln!("skipped nothing_is_left_of_several_runs_that_are_killed: {why}");
        return Ok(());
    }
    run.census.hold_namespaces();
    kill_process(Pid::from_raw(run.pid()).expect("not zero"), Signal::KILL)?;
    run.gone();
    assert_eq!(state(&run.place), "broke", "it was asked to stop, and did so in order");
    Ok(())
}
