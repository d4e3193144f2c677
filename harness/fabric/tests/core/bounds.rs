//! What the fabric's own bounds refuse was never there: it takes no time of the serialiser and proves nothing.

use fabric::{Link, PortId, Rule};
use model::{Lever, LinkQuality};

use crate::bench::{A, A_TO_B, B, Bench, MS, policy, rate, udp, uniform};

/// Blocks of 2 048 bytes in 64 MiB.
const FIT: u64 = 32_768;
const REFUSED: u64 = 1_000;

#[test]
fn what_is_refused_takes_no_time_and_counts_as_nothing_but_refused() {
    // 40 bytes at 8 Mbit/s: 40 microseconds each.
    const EACH: u64 = 40_000;
    let jittery =
        LinkQuality { delay: std::time::Duration::from_nanos(1), ..LinkQuality::default() };
    let jittery = LinkQuality { jitter: uniform(std::time::Duration::ZERO), ..jittery };
    let mut bench = Bench::with_rule(1, jittery.then(&rate(8_000_000, u64::MAX)).into());
    let frame = udp(A, B, 9, 0, 12);
    (0..FIT + REFUSED).for_each(|_| bench.receive(A, &frame));
    let link = bench.link(A_TO_B);
    assert_eq!(
        (link.waiting.packets, link.overflow.packets, link.bound_overflow),
        (FIT, REFUSED, REFUSED)
    );
    let hits = [Lever::Delay, Lever::Jitter, Lever::Rate].map(|lever| link.hits(lever).packets);
    assert_eq!(hits, [FIT, FIT, FIT - 1], "the first found no backlog");
    bench.advance(EACH + 1);
    bench.receive(A, &frame);
    bench.advance(10_000 * MS);
    assert_eq!(bench.out.sent.len() as u64, FIT + 1);
    assert_eq!(bench.out.sent.last().map(|sent| sent.at), Some((FIT + 1) * EACH + 1));
}

#[test]
fn small_packets_of_one_link_leave_room_for_the_others() {
    let mut bench = Bench::new(1);
    let other = Link::new(PortId(1), PortId(2));
    let slow = || Rule::from(rate(8_000, u64::MAX));
    let mut both = policy(slow());
    both.links.insert(other, slow());
    bench.apply(&both);
    // More than a worker's whole memory has blocks.
    let frame = udp(A, B, 9, 0, 8);
    (0..5 * FIT).for_each(|_| bench.receive(A, &frame));
    (0..10).for_each(|_| bench.receive(other.from, &udp(other.from, other.to, 9, 0, 1_400)));
    assert_eq!(bench.link(A_TO_B).waiting.packets, FIT);
    assert_eq!((bench.link(other).waiting.packets, bench.link(other).bound_overflow), (10, 0));
}
