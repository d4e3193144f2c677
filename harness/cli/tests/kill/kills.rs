//! `kill -9` of the supervisor, of pid 1 and of the harness, at each step.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    census::{HARNESS, INIT},
    host::Host,
    stage::{Place, Stage, User},
    started::{Refused, Started},
    steps::Step,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    Supervisor,
    PidOne,
    Harness,
}

pub(crate) const VICTIMS: [Victim; 3] = [Victim::Supervisor, Victim::PidOne, Victim::Harness];

/// How long it took at most until nothing was left, told at the end.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<BTreeMap<Victim, (usize, Duration)>>);

impl Gone {
    fn note(&self, victim: Victim, took: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, most) = all.entry(victim).or_default();
        (*count, *most) = (*count + 1, took.max(*most));
    }

    pub(crate) fn tell(&self) {
        for (victim, (count, most)) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter()
        {
            println!("{victim:?} killed {count} times: nothing was left after {most:.2?} at most");
        }
    }
}

pub(crate) fn leaves_nothing(
    stage: &Stage,
    gone: &Gone,
    name: &str,
    user: User,
    victim: Victim,
    step: Step,
) -> Result<(), Failed> {
    let host = Host::now();
    let mut run = stage.start(name, user);
    let tear = match step.reach(&mut run) {
        Ok(tear) => tear,
        Err(Refused(why)) => {
            eprintln!("skipped {name}: {why}");
            return Ok(());
        }
    };
    let networks = run.census.hold_namespaces();
    match step {
        Step::Writing => assert_eq!(run.census.members().len(), 1, "only the supervisor is there"),
        Step::Node(number) => {
            assert!(networks > number, "the sandbox's own and one per node; {networks}")
        }
        _ => assert!(networks >= 1, "the sandbox's own"),
    }
    let pid = pid_of(victim, &mut run);
    let killed = Instant::now();
    kill_process(pid, Signal::KILL)?;
    let status = run.gone();
    gone.note(victim, killed.elapsed());

    let words = run.words();
    match victim {
        Victim::Supervisor => assert_eq!(status.signal(), Some(9), "{words}"),
        Victim::PidOne => assert!(
            status.code() == Some(5) && words.contains("somebody killed the sandbox"),
            "{status}: {words}"
        ),
        Victim::Harness => assert!(
            status.code() == Some(5) && words.contains("ended by signal 9"),
            "{status}: {words}"
        ),
    }
    assert_eq!(Host::now(), host, "mounts, devices and files of the host");
    let strange = run.place.strange_files();
    assert!(strange.is_empty(), "files outside the run folder: {strange:?}");
    match tear {
        Some(tear) => {
            let kept = tear.leave(&run.place);
            assert!(kept > 0, "it was killed before it wrote anything");
            assert_eq!(state(&run.place), "running", "a half written summary does not count");
            is_judged(&run.place, false);
            assert_eq!(state(&run.place), "finished");
        }
        None => is_judged(&run.place, true),
    }
    Ok(())
}

fn pid_of(victim: Victim, run: &mut Started) -> Pid {
    let wanted = match victim {
        Victim::Supervisor => return Pid::from_raw(run.pid()).expect("not zero"),
        Victim::PidOne => INIT,
        Victim::Harness => HARNESS,
    };
    let members = run.census.members();
    // Whoever pid 1 has just forked still bears its name.
    let door = members
        .iter()
        .find(|member| member.parent == run.pid())
        .expect("the supervisor has a child");
    let init =
        members.iter().find(|member| member.parent == door.pid).expect("the door has a child");
    let found = members.iter().find(|member| {
        member.name == wanted && (member.pid == init.pid || member.parent == init.pid)
    });
    Pid::from_raw(found.expect("the step has been reached").pid).expect("not zero")
}

/// The folder alone is enough for a verdict and a report. A run that broke off is never a pass.
pub(crate) fn is_judged(place: &Place, broke_off: bool) {
    let judged = place.of_run(&["judge"]);
    let (code, words) = (judged.status.code(), String::from_utf8_lossy(&judged.stdout));
    let complaints = String::from_utf8_lossy(&judged.stderr);
    assert_eq!(words.contains("The run broke off"), broke_off, "{words}{complaints}");
    let verdicts = if broke_off { 1..=2 } else { 0..=2 };
    assert!(code.is_some_and(|code| verdicts.contains(&code)), "{code:?}: {words}{complaints}");

    let html = place.run().join("report.html");
    let _by_the_supervisor = fs::remove_file(&html);
    let reported = place.of_run(&["report", "--format", "html"]);
    assert!(reported.status.success(), "{}", String::from_utf8_lossy(&reported.stderr));
    let page = fs::read_to_string(html).expect("it was written");
    assert!(
        page.to_ascii_lowercase().starts_with("<!doctype html") && page.contains("to-be-killed"),
        "{page}"
    );
}

pub(crate) fn state(place: &Place) -> String {
    let text = fs::read(place.run().join("run.json")).expect("every run has one");
    let summary: serde_json::Value =
        serde_json::from_slice(&text).expect("it is replaced in one step");
    summary["state"].as_str().expect("part of every summary").to_owned()
}
