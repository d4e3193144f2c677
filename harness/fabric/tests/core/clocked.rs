//! Links that change by the clock: to the nanosecond, without a new policy, and without touching what faults have hit.

use std::sync::Arc;
use std::time::Duration;

use fabric::{Clocked, Epoch, Rule};
use model::{Lever, LinkQuality, Slot, Track};

use crate::bench::{A, A_TO_B, B, Bench, MS, delay, policy, tag, udp};

fn slot(from_ms: u64, delay_ms: u64, up: bool) -> Slot {
    let quality = LinkQuality { delay: Duration::from_millis(delay_ms), ..LinkQuality::default() };
    Slot { from: Duration::from_millis(from_ms), quality, up }
}

/// 1 ms, from 100 ms on 5 ms, from 200 ms on no contact, from 300 ms on 2 ms; on top of `steady`.
fn passes(origin_ns: u64, steady: LinkQuality) -> Rule {
    let slots = vec![slot(0, 1, true), slot(100, 5, true), slot(200, 0, false), slot(300, 2, true)];
    let clocked = Some(Clocked { origin_ns, track: Arc::new(Track { slots }) });
    Rule { quality: steady, clocked, ..Rule::default() }
}

fn in_flight(bench: &mut Bench, at: u64) -> Option<u64> {
    bench.advance_to(at);
    bench.out.sent.clear();
    bench.receive(A, &udp(A, B, 9, 0, 8));
    bench.advance_to(at + 50 * MS);
    bench.out.sent.first().map(|sent| sent.at - at)
}

#[test]
fn every_slot_begins_at_its_moment() {
    let origin = 1_000 * MS;
    let mut bench = Bench::with_rule(1, passes(origin, delay(Duration::from_millis(10)).quality));
    assert_eq!(
        in_flight(&mut bench, 20 * MS),
        Some(11 * MS),
        "before the origin the first slot holds"
    );
    for (at, expected) in
        [(99, Some(11)), (200, None), (299, None), (300, Some(12)), (9_000, Some(12))]
    {
        assert_eq!(
            in_flight(&mut bench, origin + at * MS),
            expected.map(|ms| ms * MS),
            "at {at} ms"
        );
    }
    assert_eq!(bench.link(A_TO_B).dark.packets, 2);
    let mut bench = Bench::with_rule(1, passes(origin, LinkQuality::default()));
    assert_eq!(in_flight(&mut bench, origin + 100 * MS - 1), Some(MS));
    let mut bench = Bench::with_rule(1, passes(origin, LinkQuality::default()));
    assert_eq!(in_flight(&mut bench, origin + 100 * MS), Some(5 * MS));
}

#[test]
fn a_shorter_way_does_not_overtake_a_longer_one() {
    let mut bench = Bench::with_rule(1, passes(0, LinkQuality::default()));
    bench.advance_to(199 * MS);
    bench.receive(A, &udp(A, B, 9, 0, 8));
    bench.advance_to(300 * MS - 1);
    assert_eq!(bench.out.sent.len(), 1, "what was under way arrives, contact or not");
    let slots = vec![slot(0, 50, true), slot(100, 1, true)];
    let clocked = Some(Clocked { origin_ns: 0, track: Arc::new(Track { slots }) });
    let mut bench = Bench::with_rule(1, Rule { clocked, ..Rule::default() });
    bench.advance_to(99 * MS);
    bench.receive(A, &udp(A, B, 9, 1, 8));
    bench.advance_to(101 * MS);
    bench.receive(A, &udp(A, B, 9, 2, 8));
    bench.advance_to(500 * MS);
    assert_eq!(
        bench.out.sent.iter().map(|sent| (sent.at, tag(&sent.frame))).collect::<Vec<_>>(),
        [(149 * MS, 1), (149 * MS, 2)]
    );
}

#[test]
fn a_new_slot_closes_no_account() {
    let mut bench = Bench::with_rule(1, passes(0, delay(Duration::from_millis(1)).quality));
    for at in [10, 110, 310] {
        in_flight(&mut bench, at * MS);
    }
    let hits = bench.link(A_TO_B).hits(Lever::Delay);
    assert_eq!((hits.packets, hits.since, hits.first_ns), (3, Epoch(1), Some(10 * MS)));
    let later = Rule {
        clocked: passes(77 * MS, LinkQuality::default()).clocked,
        ..passes(0, delay(Duration::from_millis(1)).quality)
    };
    bench.apply(&policy(later));
    assert_eq!(
        bench.link(A_TO_B).hits(Lever::Delay).since,
        Epoch(1),
        "another origin is not another fault"
    );
}
