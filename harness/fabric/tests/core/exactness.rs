//! Delay to the nanosecond, loss within four sigma, rate within one per cent.

use std::time::Duration;

use model::{Lever, LinkQuality};
use proptest::prelude::*;

use crate::bench::{A, A_TO_B, B, Bench, MS, delay, loss, policy, rate, tag, udp, uniform};

proptest! {
    #[test]
    fn a_delay_is_exact(ns in 1u64..10_000_000_000, start in 0u64..1_000_000_000) {
        let mut bench = Bench::with_rule(1, delay(Duration::from_nanos(ns)));
        bench.advance_to(start);
        bench.receive(A, &udp(A, B, 9, 0, 8));
        bench.advance_to(start + ns - 1);
        prop_assert!(bench.out.sent.is_empty());
        bench.advance_to(start + ns);
        prop_assert_eq!(bench.out.sent.len(), 1);
        prop_assert_eq!(bench.out.sent[0].at, start + ns);
    }

    #[test]
    fn jitter_stays_in_its_band_and_never_reorders(seed: u64, gaps in prop::collection::vec(0u64..3 * MS, 1..100)) {
        let rule = LinkQuality { jitter: uniform(Duration::from_millis(2)), ..delay(Duration::from_millis(5)).quality };
        let mut bench = Bench::with_rule(seed, rule.into());
        let mut arrivals = Vec::new();
        for (number, gap) in gaps.into_iter().enumerate() {
            bench.advance(gap);
            arrivals.push(bench.out.now);
            bench.receive(A, &udp(A, B, 9, number as u64, 8));
        }
        bench.advance(1_000 * MS);
        prop_assert_eq!(bench.out.sent.len(), arrivals.len());
        for (number, (sent, arrived)) in bench.out.sent.iter().zip(arrivals).enumerate() {
            prop_assert_eq!(tag(&sent.frame), number as u64);
            prop_assert!((3 * MS..=7 * MS).contains(&(sent.at - arrived)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
fn a_rate_is_kept_within_one_per_cent(bps in 1_000_000u64..50_000_000, payload in 400usize..1_400) {
        let mut bench = Bench::with_rule(1, rate(bps, 20_000).into());
        let frame = udp(A, B, 9, 0, payload);
        let bits = (payload as u64 + 28) * 8;
        // Half as much again as the link can carry.
        let gap = 1_000 * MS * bits * 2 / 3 / bps;
        while bench.out.now < 1_000 * MS {
            bench.receive(A, &frame);
            bench.advance(gap.min(1_000 * MS - bench.out.now));
        }
        let link = bench.link(A_TO_B);
        let off = bps.abs_diff(link.passed.bytes * 8);
        prop_assert!(off <= (bps / 100).max(bits), "{} bits in a second at {bps}", link.passed.bytes * 8);
        prop_assert!(link.overflow.packets > 0 && link.hits(Lever::Rate).packets >= link.overflow.packets);
    }
}

#[test]
fn loss_is_within_four_sigma() {
    const SENT: u64 = 20_000;
    let lists: [&[f64]; 6] = [&[0.001], &[0.01], &[0.1], &[0.5], &[0.1, 0.05], &[0.02; 10]];
    for (seed, list) in (1..=10).flat_map(|seed| lists.iter().map(move |list| (seed, list))) {
        let mut bench = Bench::with_rule(seed, loss(list).into());
        let frame = udp(A, B, 9, 0, 8);
        (0..SENT).for_each(|_| bench.receive(A, &frame));
        let p = 1.0 - list.iter().map(|p| 1.0 - p).product::<f64>();
        let off = (bench.link(A_TO_B).lost.packets as f64 - SENT as f64 * p).abs();
        assert!(
            off <= 4.0 * (SENT as f64 * p * (1.0 - p)).sqrt(),
            "seed {seed}, {list:?}: off by {off}"
        );
    }
}

#[test]
fn certain_loss_loses_everything_and_none_loses_nothing() {
    let cases: [(&[f64], u64); 4] = [(&[1.0], 100), (&[0.0, 1.0], 100), (&[0.0], 0), (&[], 0)];
    for (list, lost) in cases {
        let mut bench = Bench::with_rule(1, loss(list).into());
        (0..100).for_each(|number| bench.receive(A, &udp(A, B, 9, number, 8)));
        assert_eq!(bench.link(A_TO_B).lost.packets, lost);
    }
}

#[test]
fn the_seed_decides_every_draw() {
    let run = |seed| {
        let jittery = LinkQuality {
            jitter: uniform(Duration::from_millis(1)),
            ..delay(Duration::from_millis(2)).quality
        };
        let mut bench = Bench::with_rule(seed, jittery.then(&loss(&[0.3])).into());
        (0..500).for_each(|number| {
            bench.receive(A, &udp(A, B, 9, number, 8));
            bench.advance(MS / 3);
        });
        bench.out.sent
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_full_queue_overflows_and_a_lone_packet_always_fits() {
    let mut bench = Bench::with_rule(1, rate(8_000_000, 2_500).into());
    let frame = udp(A, B, 9, 0, 972);
    (0..10).for_each(|_| bench.receive(A, &frame));
    // One in service counts with those that wait: 1 000 + 1 000 of 2 500 bytes.
    let link = bench.link(A_TO_B);
    assert_eq!((link.waiting.packets, link.overflow.packets), (2, 8));
    bench.advance(2 * MS);
    assert_eq!(bench.link(A_TO_B).passed.packets, 2);
    bench.apply(&policy(rate(8_000_000, 0).into()));
    bench.receive(A, &frame);
    bench.advance(MS);
    assert_eq!(bench.link(A_TO_B).passed.packets, 3);
}
