//! The real lab: `unshare` in `main`, then the tests, one lab after the other, over both engines. The servers are this executable too.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use wetdress_local::{EngineWish, Inside, sandbox};

mod echo;
mod flight;
mod honesty;
mod links;
mod nodes;
mod paths;
mod rig;
mod start;

type Body = fn(Inside, EngineWish) -> Result<(), Failed>;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(echo::WORD) {
        return echo::serve(args);
    }
    let outcome = sandbox::enter(|inside| {
        let mut arguments = Arguments::from_args();
        // Each has a whole lab, and labs compete for the same cores.
        arguments.test_threads = Some(1);
        let conclusion = libtest_mimic::run(&arguments, trials(&inside));
        u8::from(conclusion.has_failed())
    });
    match outcome {
        Ok(sandbox::Outcome::Exited(code)) => code.into(),
        other => panic!("the sandbox: {other:?}"),
    }
}

fn trials(inside: &Inside) -> Vec<Trial> {
    let bodies: [(&str, Body); 26] = [
        ("tcp_crosses", start::tcp_crosses),
        ("a_missing_program_is_told", start::a_missing_program_is_told),
        ("closing_ends_an_opening", start::closing_ends_an_opening),
        ("offers_everything", start::offers_everything),
        ("delay_is_a_lower_bound", links::delay_is_a_lower_bound),
        ("a_cut_silences_both_ways", links::a_cut_silences_both_ways),
        ("a_cut_may_be_one_way", links::a_cut_may_be_one_way),
        ("a_cut_may_name_ports", links::a_cut_may_name_ports),
        ("a_rejecting_cut_answers", links::a_rejecting_cut_answers),
        ("a_heal_is_shown_where_nobody_talks", links::a_heal_is_shown_where_nobody_talks),
        ("returned_power_heals_every_link", links::returned_power_heals_every_link),
        ("loss_switches_offload_off", links::loss_switches_offload_off),
        ("the_null_target_is_quiet_and_goes", honesty::the_null_target_is_quiet_and_goes),
        ("congestion_control_is_chosen_and_told", honesty::congestion_control_is_chosen_and_told),
        ("the_effect_of_a_cut_is_on_file", flight::the_effect_of_a_cut_is_on_file),
        ("without_a_wish_no_packets_are_written", flight::without_a_wish_no_packets_are_written),
        ("a_crash_says_goodbye", nodes::a_crash_says_goodbye),
        ("a_stopped_node_keeps_its_connections", nodes::a_stopped_node_keeps_its_connections),
        ("one_process_dies_alone", nodes::one_process_dies_alone),
        ("one_process_stands_still_alone", nodes::one_process_stands_still_alone),
        ("lost_power_is_silence", nodes::lost_power_is_silence),
        ("an_own_end_is_told", nodes::an_own_end_is_told),
        ("what_fails_is_started_again", nodes::what_fails_is_started_again),
        ("a_lost_init_is_a_crash", nodes::a_lost_init_is_a_crash),
        ("every_state_follows_every_other", paths::every_state_follows_every_other),
        ("any_path_leads_to_the_same_world", paths::any_path_leads_to_the_same_world),
    ];
    let engines = [("tun", EngineWish::Tun), ("af_packet", EngineWish::AfPacket)];
    let pairs = engines.into_iter().flat_map(|engine| bodies.map(|body| (engine, body)));
    let trial = |((engine, wish), (name, body)): ((&str, EngineWish), (&str, Body))| {
        let inside = inside.clone();
        // No TUN device is a fact of this host, not a failure.
        let absent = wish == EngineWish::Tun
            && std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_err();
        Trial::test(format!("{engine}::{name}"), move || body(inside, wish))
            .with_ignored_flag(absent)
    };
    pairs.map(trial).collect()
}
