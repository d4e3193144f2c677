//! Rates that change by the clock: bytes that wait leave at the rate of the slot in which they leave, and count as what they are.

use std::sync::Arc;
use std::time::Duration;

use fabric::{Clocked, Rule};
use model::{Chance, LinkQuality, Slot, Track};

use crate::bench::{A, A_TO_B, B, Bench, MS, delay, policy, rate, tag, udp};

const US: u64 = 1_000;
/// 1 000 bytes in 10 ms.
const SLOW: u64 = 800_000;
/// 1 000 bytes in 100 us.
const FAST: u64 = 80_000_000;
const QUEUE: u64 = 60_000;

/// One rate, and from a moment on another, on top of `steady`.
fn two_rates(first: u64, turn_us: u64, second: u64, steady: LinkQuality) -> Rule {
    let slot = |from_us, bps| Slot {
        from: Duration::from_micros(from_us),
        quality: rate(bps, QUEUE),
        up: true,
    };
    let clocked = Some(Clocked {
        origin_ns: 0,
        track: Arc::new(Track { slots: vec![slot(0, first), slot(turn_us, second)] }),
    });
    Rule { quality: steady, clocked, ..Rule::default() }
}

/// Packets of 1 000 bytes, numbered from `first` on.
fn send(bench: &mut Bench, first: u64, count: u64) {
    (first..first + count).for_each(|number| bench.receive(A, &udp(A, B, 9, number, 972)));
}

/// When each packet left, in microseconds; they left in order.
fn times_us(bench: &Bench) -> Vec<u64> {
    assert!(
        bench.out.sent.iter().map(|sent| tag(&sent.frame)).eq(0..bench.out.sent.len() as u64),
        "in order"
    );
    bench.out.sent.iter().map(|sent| sent.at / US).collect()
}

fn every(first_us: u64, gap_us: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |number| first_us + number * gap_us)
}

#[test]
fn a_faster_slot_empties_the_queue_at_its_own_rate_though_no_packet_arrives() {
    // The turn finds the 11th packet half sent: 500 bytes, 50 us, are left of it.
    let mut bench = Bench::with_rule(1, two_rates(SLOW, 105_000, FAST, LinkQuality::default()));
    send(&mut bench, 0, 50);
    bench.advance(1_000 * MS);
    assert_eq!(
        times_us(&bench),
        every(10_000, 10_000, 10).chain(every(105_050, 100, 40)).collect::<Vec<_>>()
    );
}

#[test]
fn a_backlog_of_a_slow_slot_is_no_more_bytes_in_a_fast_one() {
    let mut bench = Bench::with_rule(1, two_rates(SLOW, 100_000, FAST, LinkQuality::default()));
    send(&mut bench, 0, 50);
    bench.advance_to(100 * MS);
    // 40 wait, 60 fit.
    send(&mut bench, 50, 30);
    let link = bench.link(A_TO_B);
    assert_eq!((link.waiting.packets, link.overflow.packets), (60, 10));
    bench.advance(1_000 * MS);
    assert_eq!(
        times_us(&bench),
        every(10_000, 10_000, 10).chain(every(100_100, 100, 60)).collect::<Vec<_>>()
    );
}

#[test]
fn a_slower_slot_holds_back_what_a_faster_one_took_in() {
    for delay_ms in [0, 20] {
        let mut bench = Bench::with_rule(
            1,
            two_rates(FAST, 1_000, SLOW, delay(Duration::from_millis(delay_ms)).quality),
        );
        send(&mut bench, 0, 50);
        bench.advance_to(MS);
        // 40 wait for the rate, whether or not those before them are still in flight.
        send(&mut bench, 50, 30);
        assert_eq!(bench.link(A_TO_B).overflow.packets, 10);
        bench.advance(2_000 * MS);
        let expected =
            every(100, 100, 10).chain(every(11_000, 10_000, 60)).map(|us| us + delay_ms * 1_000);
        assert_eq!(times_us(&bench), expected.collect::<Vec<_>>(), "{delay_ms} ms of delay");
    }
}

#[test]
fn a_slot_without_a_rate_lets_everything_go() {
    let mut rule = two_rates(SLOW, 100_000, FAST, LinkQuality::default());
    let slots = [rate(SLOW, QUEUE), LinkQuality::default(), rate(SLOW, QUEUE)]
        .into_iter()
        .zip([0, 100, 200]);
    let slots = slots
        .map(|(quality, ms)| Slot { from: Duration::from_millis(ms), quality, up: true })
        .collect();
    rule.clocked = Some(Clocked { origin_ns: 0, track: Arc::new(Track { slots }) });
    let mut bench = Bench::with_rule(1, rule);
    send(&mut bench, 0, 50);
    bench.advance_to(150 * MS);
    send(&mut bench, 50, 1);
    bench.advance_to(200 * MS);
    send(&mut bench, 51, 2);
    bench.advance(1_000 * MS);
    let expected =
        every(10_000, 10_000, 10).chain([100_000; 40]).chain([150_000, 210_000, 220_000]);
    assert_eq!(times_us(&bench), expected.collect::<Vec<_>>());
}

#[test]
fn packets_of_a_reordering_link_are_timed_anew_as_well() {
    // Without any delay that jitters they keep their order; each leaves within a tick after it is due.
    let reordering = LinkQuality { reorder: vec![Chance(0)], ..LinkQuality::default() };
    for (first, turn_us, second) in [(SLOW, 105_000, FAST), (FAST, 1_000, SLOW)] {
        let mut bench = Bench::with_rule(1, two_rates(first, turn_us, second, reordering.clone()));
        let mut ordered =
            Bench::with_rule(1, two_rates(first, turn_us, second, LinkQuality::default()));
        for bench in [&mut bench, &mut ordered] {
            send(bench, 0, 50);
            bench.advance(1_000 * MS);
        }
        let pairs = bench.out.sent.iter().zip(&ordered.out.sent);
        assert_eq!((bench.out.sent.len(), ordered.out.sent.len()), (50, 50));
        assert!(pairs.clone().all(|(wheel, queue)| wheel.frame == queue.frame
            && (0..1_024).contains(&(wheel.at - queue.at))));
    }
}

#[test]
fn a_rule_that_leaves_the_effective_rate_leaves_the_serialiser_alone() {
    let mut bench = Bench::with_rule(1, two_rates(SLOW, 500_000, SLOW, LinkQuality::default()));
    send(&mut bench, 0, 30);
    bench.advance_to(15 * MS);
    // The slot is tighter than what the fault now asks for.
    bench.apply(&policy(two_rates(SLOW, 500_000, SLOW, rate(FAST, QUEUE))));
    bench.advance(1_000 * MS);
    assert_eq!(times_us(&bench), every(10_000, 10_000, 30).collect::<Vec<_>>());
}

#[test]
fn a_rule_that_changes_the_track_alone_changes_the_serialiser() {
    for (next, rest_us, gap_us) in [(FAST, 50, 100), (SLOW / 2, 10_000, 20_000)] {
        let mut bench = Bench::with_rule(1, two_rates(SLOW, 500_000, SLOW, LinkQuality::default()));
        send(&mut bench, 0, 30);
        bench.advance_to(15 * MS);
        bench.apply(&policy(two_rates(next, 5_000_000, next, LinkQuality::default())));
        bench.advance(1_000 * MS);
        assert_eq!(
            times_us(&bench),
            [10_000].into_iter().chain(every(15_000 + rest_us, gap_us, 29)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_packet_longer_than_its_slots_gets_through() {
    // 10 ms or 20 ms of sending, in slots of 3 ms.
    let slot = |number: u64| {
        let bps = if number.is_multiple_of(2) { SLOW } else { SLOW / 2 };
        Slot { from: Duration::from_millis(3 * number), quality: rate(bps, QUEUE), up: true }
    };
    let clocked = Some(Clocked {
        origin_ns: 0,
        track: Arc::new(Track { slots: (0..100).map(slot).collect() }),
    });
    let mut bench = Bench::with_rule(1, Rule { clocked, ..Rule::default() });
    send(&mut bench, 0, 1);
    bench.advance(250 * MS);
    // 300 + 150 + 300 + 150 bytes in 12 ms, and 100 more at 100 bytes a millisecond.
    assert_eq!(times_us(&bench), [13_000]);
}
