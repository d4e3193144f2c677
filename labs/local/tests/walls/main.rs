//! The walls from outside: whoever is killed at whatever moment, nothing is left; and what the supervisor makes of ends and signals.
//! Each test runs this executable again as a supervisor with its sandbox. Patience comes from `WETDRESS_PATIENCE`, in seconds.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

#[path = "../lab/echo.rs"]
mod echo;
mod ends;
mod health;
mod kills;
mod outside;
#[path = "../lab/rig.rs"]
mod rig;
mod scene;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some(echo::WORD) => return echo::serve(args),
        Some(scene::WORD) => return scene::play(&args.next().expect("the name of a scene")),
        _ => {}
    }
    let mut trials = vec![
        Trial::test("an_exit_code_passes", ends::an_exit_code_passes),
        Trial::test("a_panic_is_an_exit_code", ends::a_panic_is_an_exit_code),
        Trial::test("a_signal_is_told", ends::a_signal_is_told),
        Trial::test("the_first_signal_asks", ends::the_first_signal_asks),
        Trial::test("the_second_signal_kills", ends::the_second_signal_kills),
        Trial::test("the_inside_is_furnished", ends::the_inside_is_furnished),
        Trial::test("the_doctor_finds_nothing_missing", health::nothing_is_missing),
        Trial::test("the_doctor_misses_tun", health::tun_is_missed),
        Trial::test("the_doctor_misses_proc", health::proc_is_missed),
        Trial::test("the_doctor_misses_namespaces", health::namespaces_are_missed),
    ];
    for moment in scene::MOMENTS {
        for victim in kills::VICTIMS {
            trials.push(Trial::test(
                format!("kill_{victim:?}_when_{moment}").to_lowercase(),
                move || kills::leaves_nothing(victim, moment),
            ));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
