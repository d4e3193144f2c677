//! The binary from outside: whoever is killed at whatever step of a run, nothing is left but the run folder, and that can be judged.
//! Beside it: how an interrupted run ends, and one that never begins.
//!
//! Trials run one after the other, each a run of its own, as this user and, where this one is root, as one without privileges over
//! AF_PACKET. `WETDRESS_PATIENCE`, in seconds, lengthens all waiting. Where the host refuses a sandbox, that is printed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is skipped and how long ends took is told to whoever runs the tests"
)]

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};

mod census;
mod ends;
mod host;
mod kills;
mod stage;
mod started;
mod steps;

use kills::{Gone, VICTIMS, Victim};
use stage::Stage;
use steps::{STEPS, Step};

fn main() -> ExitCode {
    let stage = Arc::new(Stage::new());
    let gone = Arc::new(Gone::default());
    let mut trials = vec![
        Trial::test(
            "mistakes_are_told_before_anything_starts",
            with(&stage, ends::mistakes_are_told_before_anything_starts),
        ),
        Trial::test("wrong_usage_is_told", with(&stage, ends::wrong_usage_is_told)),
        Trial::test("help_is_an_answer", with(&stage, ends::help_is_an_answer)),
        Trial::test(
            "an_interrupted_run_ends_in_order",
            with(&stage, ends::an_interrupted_run_ends_in_order),
        ),
        Trial::test(
            "who_asks_twice_has_interrupted",
            with(&stage, ends::who_asks_twice_has_interrupted),
        ),
        Trial::test(
            "an_end_of_several_runs_ends_the_one_that_goes_on",
            with(&stage, ends::an_end_of_several_runs_ends_the_one_that_goes_on),
        ),
        Trial::test(
            "nothing_is_left_of_several_runs_that_are_killed",
            with(&stage, ends::nothing_is_left_of_several_runs_that_are_killed),
        ),
    ];
    for user in stage.users() {
        let mut kill = |victim: Victim, step: Step| {
            let (stage, gone) = (stage.clone(), gone.clone());
            let name = format!("kill_{victim:?}_when_{step}_as_{user}").to_lowercase();
            trials.push(Trial::test(name.clone(), move || {
                kills::leaves_nothing(&stage, &gone, &name, user, victim, step)
            }));
        };
        for (number, step) in STEPS.into_iter().enumerate() {
            // Another user loses one at each step, in turn.
            let victims = VICTIMS
                .into_iter()
                .enumerate()
                .filter(|(place, _)| user.is_this() || *place == number % VICTIMS.len());
            victims.for_each(|(_, victim)| kill(victim, step));
        }
        // Everybody else has ended by then.
        kill(Victim::Supervisor, Step::Writing);
    }
    let conclusion =
        libtest_mimic::run(&Arguments { test_threads: Some(1), ..Arguments::from_args() }, trials);
    gone.tell();
    conclusion.exit_code()
}

fn with(
    stage: &Arc<Stage>,
    test: fn(&Stage) -> Result<(), libtest_mimic::Failed>,
) -> impl FnOnce() -> Result<(), libtest_mimic::Failed> + Send + 'static + use<> {
    let stage = stage.clone();
    move || test(&stage)
}
