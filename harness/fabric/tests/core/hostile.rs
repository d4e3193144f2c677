//! Whatever a namespace sends, the switch neither panics nor forwards what it cannot read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use fabric::{Framing, Prefix, Rule, Switch, VNET_BYTES};
use model::{CutForm, Ports};
use proptest::prelude::*;

use crate::bench::{A, B, Out, policy};

/// Everything is routed to B and rejected there, so that the answers are built too.
fn rejecting(framing: Framing) -> Switch {
    let mut switch = Switch::new(framing, 1);
    let everywhere = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    switch.set_port(B, &everywhere.map(|all| Prefix::new(all, 0)));
    switch.apply(0, &policy(Rule::cut(Ports::All, CutForm::Reject)));
    switch
}

fn valid(kind: u8) -> Vec<u8> {
    let mut frame = vec![0; VNET_BYTES];
    let v4 = || PacketBuilder::ipv4([198, 18, 0, 1], [198, 18, 0, 2], 64);
    let v6 = || PacketBuilder::ipv6([1; 16], [2; 16], 64);
    let written = match kind {
        0 => v4().tcp(1, 2, 3, 4).write(&mut frame, &[5; 40]),
        1 => v4().udp(1, 2).write(&mut frame, &[5; 40]),
        2 => v4().icmpv4_echo_request(1, 2).write(&mut frame, &[5; 40]),
        3 => v6().tcp(1, 2, 3, 4).write(&mut frame, &[5; 40]),
        4 => v6().udp(1, 2).write(&mut frame, &[5; 40]),
        _ => v6().icmpv6_echo_request(1, 2).write(&mut frame, &[5; 40]),
    };
    written.expect("a vector takes everything");
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_never_panic(frame in prop::collection::vec(any::<u8>(), 0..200), ethernet: bool) {
        let framing = if ethernet { Framing::Ethernet } else { Framing::Ip };
        let mut out = Out::default();
        rejecting(framing).receive(0, A, &frame, &mut out);
        prop_assert!(out.sent.iter().all(|sent| sent.to == A));
    }

    #[test]
    fn broken_packets_never_panic(
        kind in 0u8..6,
        broken in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        shorten: bool,
    ) {
        let mut frame = valid(kind);
        for (at, value) in broken {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        if shorten {
            frame.truncate(cut.index(frame.len()));
        }
        let mut out = Out::default();
        let mut switch = rejecting(Framing::Ip);
        switch.receive(0, A, &frame, &mut out);
        prop_assert!(out.sent.iter().all(|sent| sent.to == A));
        let snapshot = switch.snapshot(0);
        let rejected: u64 = snapshot.links.values().map(|link| link.rejected.packets).sum();
        let ignored: u64 = snapshot.ports.values().map(|port| port.ignored.packets + port.unroutable.packets).sum();
        prop_assert_eq!(rejected + ignored, 1);
    }
}

#[test]
fn chatter_is_ignored_and_strangers_are_unroutable() {
    let mut switch = Switch::new(Framing::Ip, 1);
    switch.set_port(A, &[Prefix::host(Ipv4Addr::new(198, 18, 0, 1).into())]);
    let mut out = Out::default();
    for destination in [[224, 0, 0, 1], [255; 4], [192, 0, 2, 1]] {
        let mut frame = vec![0; VNET_BYTES];
        let packet = PacketBuilder::ipv4([198, 18, 0, 1], destination, 1).udp(1, 2);
        packet.write(&mut frame, &[]).expect("a vector takes everything");
        switch.receive(0, A, &frame, &mut out);
    }
    let counters = switch.snapshot(0).ports[&A];
    assert_eq!((counters.ignored.packets, counters.unroutable.packets), (2, 1));
    assert_eq!(out.sent, []);
}

#[test]
fn the_longest_prefix_wins() {
    let mut switch = Switch::new(Framing::Ip, 1);
    switch.set_port(A, &[Prefix::new(Ipv4Addr::new(198, 19, 0, 0).into(), 16)]);
    switch.set_port(B, &[Prefix::new(Ipv4Addr::new(198, 19, 7, 9).into(), 24)]);
    let mut out = Out::default();
    for last in [6, 7] {
        let mut frame = vec![0; VNET_BYTES];
        let packet = PacketBuilder::ipv4([198, 19, 0, 1], [198, 19, last, 1], 1).udp(1, 2);
        packet.write(&mut frame, &[]).expect("a vector takes everything");
        switch.receive(0, A, &frame, &mut out);
    }
    assert_eq!(out.sent.iter().map(|sent| sent.to).collect::<Vec<_>>(), [A, B]);
}
