//! Laws that hold in any sequence of packets, time and policies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fabric::{Clocked, Link, Policy, PortId, Rule};
use model::{
    BitRate, Bursts, Chance, Cut, CutForm, Jitter, LinkQuality, Ports, Shape, Slot, Track,
};
use proptest::prelude::*;

use crate::bench::{Bench, DARK, MACHINES, MS, tag, udp};

#[derive(Clone, Debug)]
enum Step {
    Send { from: u32, to: u32, port: u16, bytes: usize },
    Advance(u64),
    Apply(Policy),
}

fn port() -> impl Strategy<Value = u16> {
    1u16..4
}

fn cut() -> impl Strategy<Value = Cut> {
    let ports = prop_oneof![
        Just(Ports::All),
        prop::collection::btree_set(port(), 1..3).prop_map(Ports::Only)
    ];
    (ports, prop_oneof![Just(CutForm::Drop), Just(CutForm::Reject), Just(CutForm::Jam)])
        .prop_map(|(ports, form)| Cut { ports, form })
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec((0u32..=1_000_000).prop_map(Chance), 1..3)]
}

fn jitter() -> impl Strategy<Value = Jitter> {
    let shape = prop_oneof![
        Just(Shape::Uniform),
        Just(Shape::Normal),
        Just(Shape::Pareto),
        Just(Shape::ParetoNormal)
    ];
    (0u64..5, shape, 0u32..=1_000_000).prop_map(|(width, shape, correlation)| Jitter {
        width: Duration::from_millis(width),
        shape,
        correlation: Chance(correlation),
    })
}

fn bursts() -> impl Strategy<Value = Bursts> {
    let chance = || (0u32..=1_000_000).prop_map(Chance);
    (chance(), chance(), chance(), chance()).prop_map(|(enter, leave, bad, good)| Bursts {
        enter,
        leave,
        bad,
        good,
    })
}

/// Anything but reordering, which has laws of its own.
fn quality() -> impl Strategy<Value = LinkQuality> {
    let times = (0u64..20, prop::collection::vec(jitter(), 0..3));
    let losses = (chances(), prop::collection::vec(bursts(), 0..2), chances(), chances());
    let limits = (
        prop::option::of(100_000u64..100_000_000),
        prop::option::of(0u64..20_000),
        prop::option::of(300u32..1_500),
    );
    (times, losses, limits).prop_map(
        |((delay, jitter), (loss, bursts, duplicate, corrupt), (rate, queue, mtu))| LinkQuality {
            delay: Duration::from_millis(delay),
            jitter,
            loss,
            bursts,
            duplicate,
            corrupt,
            reorder: vec![],
            rate: rate.map(BitRate),
            queue,
            mtu,
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let cuts =
        prop_oneof![2 => Just(Default::default()), 1 => prop::collection::btree_set(cut(), 1..3)];
    (cuts, quality(), prop::option::weighted(0.3, clocked()))
        .prop_map(|(cuts, quality, clocked)| Rule { cuts, quality, clocked })
}

/// A few slots, short enough that packets wait across their edges.
fn clocked() -> impl Strategy<Value = Clocked> {
    let slots = prop::collection::vec((1u64..40, quality(), prop::bool::weighted(0.8)), 1..6);
    (0u64..100 * MS, slots).prop_map(|(origin_ns, slots)| {
        let mut from = Duration::ZERO;
        let slots = slots.into_iter().map(|(ms, mut quality, up)| {
            // What is damaged cannot be told by its tag.
            quality.corrupt.clear();
            let begins = from;
            from += Duration::from_millis(ms);
            Slot { from: begins, quality, up }
        });
        Clocked { origin_ns, track: Arc::new(Track { slots: slots.collect() }) }
    })
}

/// Packets keep their order, and can be told by their tags.
fn ordered() -> impl Strategy<Value = Rule> {
    rule().prop_map(|mut rule| {
        rule.quality.corrupt.clear();
        rule
    })
}

/// Everything at once.
fn reordering() -> impl Strategy<Value = Rule> {
    (rule(), chances()).prop_map(|(mut rule, reorder)| {
        rule.quality.reorder = reorder;
        rule
    })
}

fn link() -> impl Strategy<Value = Link> {
    (0..MACHINES, 0..MACHINES).prop_map(|(from, to)| Link::new(PortId(from), PortId(to)))
}

fn policies(rule: impl Strategy<Value = Rule>) -> impl Strategy<Value = Policy> {
    prop::collection::btree_map(link(), rule, 0..8).prop_map(|links| Policy { links })
}

fn steps(rule: impl Strategy<Value = Rule>) -> impl Strategy<Value = Vec<Step>> {
    let send = (0..MACHINES, 0..MACHINES, port(), 8usize..1_400);
    let step = prop_oneof![
        8 => send.prop_map(|(from, to, port, bytes)| Step::Send { from, to, port, bytes }),
        3 => (0u64..10 * MS).prop_map(Step::Advance),
        1 => policies(rule).prop_map(Step::Apply),
    ];
    prop::collection::vec(step, 1..150)
}

/// Every packet is in exactly one account of its link, in packets and in bytes.
fn assert_conserved(bench: &Bench) -> Result<(), TestCaseError> {
    let snapshot = bench.switch.snapshot(bench.out.now);
    for (link, c) in &snapshot.links {
        let accounts = [
            c.passed,
            c.cut,
            c.rejected,
            c.dark,
            c.too_big,
            c.lost,
            c.overflow,
            c.undelivered,
            c.waiting,
        ];
        prop_assert_eq!(
            c.arrived.packets + c.copies.packets,
            accounts.iter().map(|tally| tally.packets).sum::<u64>(),
            "{:?}",
            link
        );
        prop_assert_eq!(
            c.arrived.bytes + c.copies.bytes,
            accounts.iter().map(|tally| tally.bytes).sum::<u64>(),
            "{:?}",
            link
        );
        if link.to == DARK {
            prop_assert_eq!(c.passed.packets, 0);
        }
    }
    let answers: u64 = snapshot.ports.values().map(|port| port.answers).sum();
    let passed: u64 = snapshot.links.values().map(|link| link.passed.packets).sum();
    prop_assert_eq!(answers + passed, bench.out.sent.len() as u64);
    Ok(())
}

fn forbids(policy: &Policy, link: Link, port: u16) -> bool {
    let mut cuts = policy.links.get(&link).map(|rule| &rule.cuts).into_iter().flatten();
    cuts.any(|cut| cut.ports.contains(port))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn packets_are_conserved_ordered_and_never_pass_a_cut(seed: u64, steps in steps(ordered())) {
        let mut bench = Bench::new(seed);
        let mut policy = Policy::default();
        let mut sent: Vec<(Link, u16)> = Vec::new();
        let mut newest: BTreeMap<Link, u64> = BTreeMap::new();
        let mut looked_at = 0;
        for step in steps.into_iter().chain([Step::Advance(1_000_000 * MS)]) {
            match step {
                Step::Send { from, to, port, bytes } => {
                    let link = Link::new(PortId(from), PortId(to));
                    bench.receive(link.from, &udp(link.from, link.to, port, sent.len() as u64, bytes));
                    sent.push((link, port));
                }
                Step::Advance(ns) => bench.advance(ns),
                Step::Apply(next) => {
                    bench.apply(&next);
                    policy = next;
                }
            }
            for out in &bench.out.sent[looked_at..] {
                let is_answer = out.frame[19] != 17;
                if !is_answer {
                    let (link, port) = sent[tag(&out.frame) as usize];
                    prop_assert_eq!(link.to, out.to);
                    prop_assert!(!forbids(&policy, link, port), "passed a cut: {:?} port {}", link, port);
                    let before = newest.insert(link, tag(&out.frame));
                    prop_assert!(before.is_none_or(|before| before <= tag(&out.frame)), "overtaken on {:?}", link);
                }
            }
            looked_at = bench.out.sent.len();
            assert_conserved(&bench)?;
        }
        let waiting: u64 = bench.switch.snapshot(0).links.values().map(|link| link.waiting.packets).sum();
        prop_assert_eq!(waiting, 0);
    }

    #[test]
    fn packets_are_conserved_whatever_is_asked(seed: u64, steps in steps(reordering())) {
        let mut bench = Bench::new(seed);
        for step in steps.into_iter().chain([Step::Advance(1_000_000 * MS)]) {
            match step {
                Step::Send { from, to, port, bytes } => bench.receive(PortId(from), &udp(PortId(from), PortId(to), port, 0, bytes)),
                Step::Advance(ns) => bench.advance(ns),
                Step::Apply(policy) => drop(bench.apply(&policy)),
            }
            assert_conserved(&bench)?;
        }
        let waiting: u64 = bench.switch.snapshot(0).links.values().map(|link| link.waiting.packets).sum();
        prop_assert_eq!(waiting, 0);
    }

    /// After any sequence of policies, new packets fare as on a fresh switch given the last one.
    /// Rules that draw are left out: how far a generator has been used is no part of the law. So are
    /// rates: bytes that wait for a serialiser are there, whatever the policy says now.
    #[test]
    fn the_path_of_policies_does_not_matter(
        steps in steps(ordered()),
        delays in prop::collection::btree_map(link(), (0u64..20, prop::option::of(cut()), any::<bool>()), 0..10),
        probes in prop::collection::vec((0..MACHINES, 0..MACHINES, port(), 0u64..3 * MS), 1..60),
    ) {
        let links = delays.into_iter().map(|(link, (delay, cut, dead))| {
            let loss = if dead { vec![Chance::ALWAYS] } else { Vec::new() };
            let quality = LinkQuality { delay: Duration::from_millis(delay), loss, ..LinkQuality::default() };
            (link, Rule { cuts: cut.into_iter().collect(), quality, clocked: None })
        });
        let last = Policy { links: links.collect() };
        let mut travelled = Bench::new(1);
        for step in steps {
            match step {
                Step::Send { from, to, port, bytes } => {
                    travelled.receive(PortId(from), &udp(PortId(from), PortId(to), port, u64::MAX, bytes));
                }
                Step::Advance(ns) => travelled.advance(ns),
                Step::Apply(policy) => drop(travelled.apply(&policy)),
            }
        }
        let mut fresh = Bench::new(1);
        fresh.advance_to(travelled.out.now);
        for bench in [&mut travelled, &mut fresh] {
            bench.apply(&last);
            bench.out.sent.clear();
            for (number, &(from, to, port, gap)) in probes.iter().enumerate() {
                bench.receive(PortId(from), &udp(PortId(from), PortId(to), port, number as u64, 8));
                bench.advance(gap);
            }
            bench.advance(1_000 * MS);
            // Old packets may still come in; the answers and the new ones are compared.
            bench.out.sent.retain(|sent| sent.frame[19] != 17 || tag(&sent.frame) != u64::MAX);
        }
        prop_assert_eq!(travelled.out.sent, fresh.out.sent);
    }
}
