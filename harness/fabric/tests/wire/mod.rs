//! What a fabric promises, told once and asked of two: the core in memory on a clock that is turned by hand, and the real shells
//! between two namespaces. A body sends datagrams from A to B, lets everything settle, and looks at what arrived and what was counted.

use std::time::Duration;

use fabric::{LinkCounters, Rule};
use model::{BitRate, Bursts, Chance, CutForm, Jitter, Lever, LinkQuality, Ports, Shape};

pub(crate) const PORT: u16 = 4_001;
pub(crate) const OTHER_PORT: u16 = 4_002;

/// One way from A to B.
pub(crate) trait Wire {
    /// The rule of the link from A to B from now on; its counters begin anew.
    fn apply(&mut self, rule: &Rule);
    /// Sends a datagram to one of the two ports.
    fn send(&mut self, port: u16, payload: &[u8]);
    /// Waits until nothing is under way, and says what B's stack accepted since the last call, in order, and what the link counted
    /// since the rule was applied.
    fn settle(&mut self) -> (Vec<Vec<u8>>, LinkCounters);
}

type Body = fn(&mut dyn Wire);

pub(crate) const BODIES: [(&str, Body); 10] = [
    ("an_open_link_passes_everything_in_order", an_open_link_passes_everything_in_order),
    (
        "every_form_of_a_cut_stops_datagrams_of_its_ports",
        every_form_of_a_cut_stops_datagrams_of_its_ports,
    ),
    ("loss_is_within_four_sigma", loss_is_within_four_sigma),
    ("bursts_lose_their_share", bursts_lose_their_share),
    ("duplicates_come_twice", duplicates_come_twice),
    ("a_corrupted_packet_is_never_accepted", a_corrupted_packet_is_never_accepted),
    ("delay_and_jitter_keep_the_order", delay_and_jitter_keep_the_order),
    ("reordered_packets_all_come", reordered_packets_all_come),
    ("a_full_queue_overflows", a_full_queue_overflows),
    ("what_is_too_big_does_not_pass", what_is_too_big_does_not_pass),
];

fn numbered(wire: &mut dyn Wire, count: u32, bytes: usize) {
    for number in 0..count {
        let mut payload = vec![7; bytes.max(4)];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        wire.send(PORT, &payload);
    }
}

fn numbers(arrived: &[Vec<u8>]) -> Vec<u32> {
    arrived
        .iter()
        .map(|payload| u32::from_be_bytes(payload[..4].try_into().expect("four bytes at least")))
        .collect()
}

fn percent(percent: u32) -> Vec<Chance> {
    vec![Chance(percent * 10_000)]
}

/// Every packet is in one account.
pub(crate) fn is_conserved(link: &LinkCounters) -> bool {
    let accounts = [
        link.passed,
        link.cut,
        link.rejected,
        link.dark,
        link.too_big,
        link.lost,
        link.overflow,
        link.undelivered,
        link.waiting,
    ];
    let (packets, bytes) = accounts
        .iter()
        .fold((0, 0), |(packets, bytes), tally| (packets + tally.packets, bytes + tally.bytes));
    (link.arrived.packets + link.copies.packets, link.arrived.bytes + link.copies.bytes)
        == (packets, bytes)
}

fn within_four_sigma(found: u64, of: u64, p: f64) -> bool {
    (found as f64 - of as f64 * p).abs() <= 4.0 * (of as f64 * p * (1.0 - p)).sqrt()
}

fn an_open_link_passes_everything_in_order(wire: &mut dyn Wire) {
    wire.apply(&Rule::default());
    numbered(wire, 200, 100);
    let (arrived, link) = wire.settle();
    assert_eq!(numbers(&arrived), (0..200).collect::<Vec<_>>());
    assert_eq!((link.arrived, link.delayed.packets), (link.passed, 0));
}

fn every_form_of_a_cut_stops_datagrams_of_its_ports(wire: &mut dyn Wire) {
    for (form, lever) in [
        (CutForm::Drop, Lever::CutPorts),
        (CutForm::Reject, Lever::RejectPorts),
        (CutForm::Jam, Lever::JamPorts),
    ] {
        wire.apply(&Rule::cut(Ports::Only([PORT].into()), form));
        for _ in 0..10 {
            wire.send(PORT, b"cut");
            wire.send(OTHER_PORT, b"spared");
        }
        let (arrived, link) = wire.settle();
        assert_eq!(arrived, vec![b"spared".to_vec(); 10], "{form:?}");
        assert_eq!(link.cut.packets + link.rejected.packets, 10, "{form:?}");
        assert_eq!(link.hits(lever).packets, 10, "{form:?}");
        assert!(is_conserved(&link), "{form:?}: {link:?}");
    }
    wire.apply(&Rule::default());
    wire.send(PORT, b"healed");
    let (arrived, link) = wire.settle();
    assert_eq!((arrived, link.cut_hits().packets), (vec![b"healed".to_vec()], 0));
}

fn loss_is_within_four_sigma(wire: &mut dyn Wire) {
    const SENT: u32 = 4_000;
    wire.apply(
        &LinkQuality { loss: [percent(5), percent(10)].concat(), ..LinkQuality::default() }.into(),
    );
    numbered(wire, SENT, 50);
    let (arrived, link) = wire.settle();
    assert!(
        within_four_sigma(link.lost.packets, SENT.into(), 1.0 - 0.95 * 0.9),
        "{} lost",
        link.lost.packets
    );
    assert_eq!(
        (arrived.len() as u64, link.hits(Lever::Loss).packets),
        (link.passed.packets, link.lost.packets)
    );
    assert!(numbers(&arrived).is_sorted() && is_conserved(&link));
}

fn bursts_lose_their_share(wire: &mut dyn Wire) {
    const SENT: u32 = 4_000;
    let bursts = Bursts {
        enter: Chance(20_000),
        leave: Chance(250_000),
        bad: Chance::ALWAYS,
        good: Chance(0),
    };
    wire.apply(&LinkQuality { bursts: vec![bursts], ..LinkQuality::default() }.into());
    numbered(wire, SENT, 50);
    let (arrived, link) = wire.settle();
    // Losses come in clumps of (2 - p - r) / (p + r) the variance of independent ones.
    let (p, r) = (0.02, 0.25);
    let (share, wider) = (bursts.share_lost(), (2.0 - p - r) / (p + r));
    let sigma = (f64::from(SENT) * share * (1.0 - share) * wider).sqrt();
    assert!(
        (link.lost.packets as f64 - f64::from(SENT) * share).abs() <= 4.0 * sigma,
        "{} lost",
        link.lost.packets
    );
    assert_eq!(arrived.len() as u64 + link.lost.packets, u64::from(SENT));
    assert!(is_conserved(&link));
}

fn duplicates_come_twice(wire: &mut dyn Wire) {
    wire.apply(&LinkQuality { duplicate: vec![Chance::ALWAYS], ..LinkQuality::default() }.into());
    numbered(wire, 50, 100);
    let (arrived, link) = wire.settle();
    assert_eq!(numbers(&arrived), (0..50).flat_map(|number| [number, number]).collect::<Vec<_>>());
    assert_eq!((link.copies.packets, link.hits(Lever::Duplicate).packets), (50, 50));
    assert!(is_conserved(&link));
}

fn a_corrupted_packet_is_never_accepted(wire: &mut dyn Wire) {
    const SENT: u32 = 500;
    wire.apply(&LinkQuality { corrupt: percent(50), ..LinkQuality::default() }.into());
    numbered(wire, SENT, 200);
    let (arrived, link) = wire.settle();
    assert!(
        within_four_sigma(link.corrupted.packets, SENT.into(), 0.5),
        "{} corrupted",
        link.corrupted.packets
    );
    assert_eq!(arrived.len() as u64, u64::from(SENT) - link.corrupted.packets);
    assert!(arrived.iter().all(|payload| payload[4..].iter().all(|byte| *byte == 7)));
    assert_eq!(link.hits(Lever::Corrupt).packets, link.corrupted.packets);
    assert!(is_conserved(&link));
}

fn delay_and_jitter_keep_the_order(wire: &mut dyn Wire) {
    let shapes = [Shape::Uniform, Shape::Normal, Shape::Pareto, Shape::ParetoNormal];
    let jitter = shapes.map(|shape| Jitter {
        width: Duration::from_micros(300),
        shape,
        correlation: Chance(300_000),
    });
    wire.apply(
        &LinkQuality {
            delay: Duration::from_millis(3),
            jitter: jitter.into(),
            ..LinkQuality::default()
        }
        .into(),
    );
    numbered(wire, 300, 100);
    let (arrived, link) = wire.settle();
    assert_eq!(numbers(&arrived), (0..300).collect::<Vec<_>>());
    let hits = [Lever::Delay, Lever::Jitter].map(|lever| link.hits(lever).packets);
    assert_eq!((hits, link.delayed.packets, link.waiting.packets), ([300, 300], 300, 0));
}

fn reordered_packets_all_come(wire: &mut dyn Wire) {
    let quality = LinkQuality {
        delay: Duration::from_millis(5),
        reorder: percent(20),
        ..LinkQuality::default()
    };
    wire.apply(&quality.into());
    numbered(wire, 500, 100);
    let (arrived, link) = wire.settle();
    let mut numbers = numbers(&arrived);
    assert!(!numbers.is_sorted(), "some overtook others");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert!(within_four_sigma(link.hits(Lever::Reorder).packets, 500, 0.2));
    assert!(is_conserved(&link));
}

fn a_full_queue_overflows(wire: &mut dyn Wire) {
    wire.apply(
        &LinkQuality {
            rate: Some(BitRate(4_000_000)),
            queue: Some(10_000),
            ..LinkQuality::default()
        }
        .into(),
    );
    numbered(wire, 100, 972);
    let (arrived, link) = wire.settle();
    assert_eq!(arrived.len() as u64 + link.overflow.packets, 100);
    assert!(link.overflow.packets > 0 && link.hits(Lever::Rate).packets > 0);
    assert!(numbers(&arrived).is_sorted() && is_conserved(&link));
}

fn what_is_too_big_does_not_pass(wire: &mut dyn Wire) {
    wire.apply(&LinkQuality { mtu: Some(600), ..LinkQuality::default() }.into());
    wire.send(PORT, &[7; 600 - 28]);
    wire.send(PORT, &[7; 601 - 28]);
    let (arrived, link) = wire.settle();
    assert_eq!(arrived.iter().map(Vec::len).collect::<Vec<_>>(), [600 - 28]);
    assert_eq!((link.too_big.packets, link.hits(Lever::Mtu).packets), (1, 1));
    assert!(is_conserved(&link));
}

/// What was counted since `before`; hits are counted since their lever changed, and stay.
pub(crate) fn since(before: LinkCounters, mut now: LinkCounters) -> LinkCounters {
    for (mine, old) in [
        (&mut now.arrived, before.arrived),
        (&mut now.copies, before.copies),
        (&mut now.passed, before.passed),
        (&mut now.cut, before.cut),
        (&mut now.rejected, before.rejected),
        (&mut now.dark, before.dark),
        (&mut now.too_big, before.too_big),
        (&mut now.lost, before.lost),
        (&mut now.overflow, before.overflow),
        (&mut now.undelivered, before.undelivered),
        (&mut now.delayed, before.delayed),
        (&mut now.corrupted, before.corrupted),
    ] {
        mine.packets -= old.packets;
        mine.bytes -= old.bytes;
    }
    now
}
