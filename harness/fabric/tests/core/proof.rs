//! Hits begin anew when their lever changes, and only then; canaries prove nothing.

use std::time::Duration;

use etherparse::PacketBuilder;
use fabric::{CANARY_PORT, Epoch, Rule, VNET_BYTES};
use model::{CutForm, Lever, LinkQuality, Ports};

use crate::bench::{A, A_TO_B, B, Bench, MS, address, delay, policy, rate, tag, udp, uniform};

fn cut_all() -> Rule {
    Rule::cut(Ports::All, CutForm::Drop)
}

#[test]
fn the_first_hit_is_stamped_and_survives_other_changes() {
    let mut bench = Bench::with_rule(1, cut_all());
    bench.advance(3 * MS);
    bench.receive(A, &udp(A, B, CANARY_PORT, 0, 8));
    assert_eq!(bench.link(A_TO_B).hits(Lever::Cut).first_ns, None, "a canary is no proof");
    bench.advance(MS);
    bench.receive(A, &udp(A, B, 9, 0, 8));
    let with_delay = Rule { quality: delay(Duration::from_millis(1)).quality, ..cut_all() };
    bench.apply(&policy(with_delay));
    let hits = bench.link(A_TO_B).hits(Lever::Cut);
    assert_eq!((hits.since, hits.first_ns), (Epoch(1), Some(4 * MS)));
    assert_eq!((hits.packets, hits.canaries, hits.established), (1, 1, 0));
    assert_eq!(bench.link(A_TO_B).hits(Lever::Delay).since, Epoch(2));
}

#[test]
fn a_change_closes_the_account_and_shows_the_heal() {
    let mut bench = Bench::with_rule(1, cut_all());
    bench.receive(A, &udp(A, B, 9, 0, 8));
    let applied = bench.apply(&policy(Rule::default()));
    let [(link, last)] = applied.closed[..] else {
        panic!("one link changed: {:?}", applied.closed)
    };
    assert_eq!((link, last.hits(Lever::Cut).packets), (A_TO_B, 1));
    let healed = bench.link(A_TO_B);
    assert_eq!(
        (healed.hits(Lever::Cut).packets, healed.cut.packets),
        (0, 1),
        "hits begin anew, totals stay"
    );
    assert_eq!((healed.passed_hits.since, healed.passed_hits.packets), (Epoch(2), 0));
    bench.advance(MS);
    bench.receive(A, &udp(A, B, 9, 0, 8));
    assert_eq!(bench.link(A_TO_B).passed_hits.first_ns, Some(MS));
    assert!(bench.apply(&policy(Rule::default())).closed.is_empty(), "nothing changed");
}

#[test]
fn established_connections_are_told_apart() {
    let mut bench = Bench::with_rule(1, cut_all());
    let step = || PacketBuilder::ipv4(address(0).octets(), address(1).octets(), 64).tcp(1, 2, 3, 4);
    for (step, payload) in
        [(step().syn(), 0), (step().syn().ack(1), 0), (step().rst().ack(1), 0), (step().ack(1), 10)]
    {
        let mut frame = vec![0; VNET_BYTES];
        step.write(&mut frame, &vec![0; payload]).expect("a vector takes everything");
        bench.receive(A, &frame);
    }
    let hits = bench.link(A_TO_B).hits(Lever::Cut);
    assert_eq!((hits.packets, hits.established, hits.first_established_ns), (4, 1, Some(0)));
}

#[test]
fn a_shorter_delay_lets_the_waiting_go_and_never_reorders() {
    let mut bench = Bench::with_rule(1, delay(Duration::from_secs(10)));
    bench.receive(A, &udp(A, B, 9, 0, 8));
    bench.advance(MS);
    bench.apply(&policy(delay(Duration::from_millis(5))));
    bench.receive(A, &udp(A, B, 9, 1, 8));
    bench.advance(1_000 * MS);
    let times: Vec<u64> = bench.out.sent.iter().map(|sent| sent.at).collect();
    assert_eq!(times, [5 * MS, 6 * MS]);
}

#[test]
fn a_rate_that_ends_lets_the_waiting_go_in_order() {
    let jittery = LinkQuality {
        jitter: uniform(Duration::from_millis(4)),
        ..delay(Duration::from_millis(5)).quality
    };
    let mut bench = Bench::with_rule(1, jittery.then(&rate(800_000, 100_000)).into());
    (0..50).for_each(|number| bench.receive(A, &udp(A, B, 9, number, 972)));
    bench.advance(20 * MS);
    bench.apply(&policy(jittery.into()));
    bench.advance(9 * MS);
    let tags: Vec<u64> = bench.out.sent.iter().map(|sent| tag(&sent.frame)).collect();
    assert_eq!(tags, (0..50).collect::<Vec<_>>());
}
