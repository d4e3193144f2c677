//! The real shells: packets between two network namespaces through a fabric, over TUN and over
//! AF_PACKET. The process enters its own user and network namespace before any thread exists, so
//! nothing here touches the host's network and no privilege is needed.
#![allow(
    clippy::disallowed_methods,
    reason = "the sockets here are born in namespaces of the test's own"
)]
#![allow(clippy::print_stderr, reason = "measured figures are worth a line where a test has one")]

mod capture;
mod conformance;
mod cuts;
mod levers;
mod net;
mod sys;
mod transfer;
#[path = "../wire/mod.rs"]
mod wire;

use fabric::Engine;
use libtest_mimic::{Arguments, Failed, Trial};

type Check = fn(Engine) -> Result<(), Failed>;

const CHECKS: [(&str, Check); 13] = [
    ("tcp_arrives_intact", transfer::tcp_arrives_intact),
    ("tcp_survives_every_mixture", transfer::tcp_survives_every_mixture),
    ("tcp_survives_loss_without_offload", transfer::tcp_survives_loss_without_offload),
    ("the_shells_keep_every_promise", conformance::the_shells_keep_every_promise),
    ("ipv6_passes", transfer::ipv6_passes),
    ("jumbo_packets_keep_their_place", transfer::jumbo_packets_keep_their_place),
    ("a_prefix_lives_behind_one_port", transfer::a_prefix_lives_behind_one_port),
    ("delay_is_a_lower_bound", levers::delay_is_a_lower_bound),
    ("loss_hits_its_share", levers::loss_hits_its_share),
    ("rate_is_kept", levers::rate_is_kept),
    ("reject_answers", levers::reject_answers),
    ("a_machine_returns_under_its_address", levers::a_machine_returns_under_its_address),
    ("no_packet_after_the_acknowledgement", cuts::no_packet_after_the_acknowledgement),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Delays are measured here, so nothing else should compete for the cores.
    arguments.test_threads = Some(1);
    if !arguments.list {
        sys::enter_namespaces().expect("user namespaces are allowed on this host (see `doctor`)");
    }
    let has_tun = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok();
    let trials = [Engine::Tun, Engine::AfPacket].into_iter().flat_map(|engine| {
        CHECKS.map(|(name, check)| {
            let kind = if engine == Engine::Tun { "tun" } else { "af_packet" };
            Trial::test(name, move || check(engine))
                .with_kind(kind)
                .with_ignored_flag(engine == Engine::Tun && !has_tun)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
