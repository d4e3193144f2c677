//! Draws that remember the one before them go on through slots and faults that leave them as they are.

use std::sync::Arc;
use std::time::Duration;

use fabric::{Clocked, Rule};
use model::{Bursts, Chance, Jitter, LinkQuality, Shape, Slot, Track};

use crate::bench::{A, A_TO_B, B, Bench, MS, policy, udp};

const SENT: u64 = 20_000;
const GAP: u64 = 100_000;

/// Slots of a millisecond, ten packets each, that differ in their MTU alone: nothing that is drawn.
fn short_slots() -> Clocked {
    let slot = |number: u32| {
        let quality = LinkQuality { mtu: Some(1_400 + number % 2), ..LinkQuality::default() };
        Slot { from: Duration::from_millis(u64::from(number)), quality, up: true }
    };
    Clocked { origin_ns: 0, track: Arc::new(Track { slots: (0..2_001).map(slot).collect() }) }
}

/// Bursts of 50 packets, all of which are lost.
fn bursts() -> LinkQuality {
    let bursts = Bursts {
        enter: Chance(10_000),
        leave: Chance(20_000),
        bad: Chance::ALWAYS,
        good: Chance(0),
    };
    LinkQuality { bursts: vec![bursts], ..LinkQuality::default() }
}

/// Whether each packet was lost.
fn losses(bench: &mut Bench, count: u64) -> Vec<bool> {
    let lose = |number| {
        let before = bench.link(A_TO_B).lost.packets;
        bench.receive(A, &udp(A, B, 9, number, 8));
        bench.advance(GAP);
        bench.link(A_TO_B).lost.packets > before
    };
    (0..count).map(lose).collect()
}

fn mean_burst(lost: &[bool]) -> f64 {
    let bursts = lost.windows(2).filter(|pair| pair == &[false, true]).count();
    lost.iter().filter(|lost| **lost).count() as f64 / bursts as f64
}

#[test]
fn bursts_outlast_short_slots() {
    let mut steady = Bench::with_rule(3, bursts().into());
    let mut slotted = Bench::with_rule(3, Rule { clocked: Some(short_slots()), ..bursts().into() });
    let lost = losses(&mut slotted, SENT);
    assert!((40.0..60.0).contains(&mean_burst(&lost)), "bursts of {} packets", mean_burst(&lost));
    assert_eq!(lost, losses(&mut steady, SENT), "packet by packet as on a link that never changes");
}

#[test]
fn bursts_outlast_other_faults() {
    let mut alone = Bench::with_rule(3, bursts().into());
    let mut changing = Bench::with_rule(3, bursts().into());
    let lost: Vec<bool> = (0..500)
        .flat_map(|number| {
            let delay = Duration::from_nanos(number % 2);
            changing.apply(&policy(LinkQuality { delay, ..bursts() }.into()));
            losses(&mut changing, 10)
        })
        .collect();
    assert_eq!(lost, losses(&mut alone, 5_000));
}

#[test]
fn equal_processes_keep_a_state_each() {
    let twice = bursts().then(&bursts());
    let mut steady = Bench::with_rule(5, twice.clone().into());
    let mut slotted = Bench::with_rule(5, Rule { clocked: Some(short_slots()), ..twice.into() });
    assert_eq!(losses(&mut slotted, SENT), losses(&mut steady, SENT));
}

#[test]
fn correlated_jitter_outlasts_short_slots() {
    let jitter = vec![Jitter {
        width: Duration::from_millis(2),
        shape: Shape::Normal,
        correlation: Chance(900_000),
    }];
    let quality =
        LinkQuality { delay: Duration::from_millis(10), jitter, ..LinkQuality::default() };
    let run = |rule| {
        let mut bench = Bench::with_rule(7, rule);
        losses(&mut bench, 5_000);
        bench.advance(100 * MS);
        bench.out.sent
    };
    assert_eq!(
        run(Rule { clocked: Some(short_slots()), ..quality.clone().into() }),
        run(quality.into())
    );
}
