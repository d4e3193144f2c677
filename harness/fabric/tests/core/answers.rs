//! Answers to rejected packets, compared byte by byte with those of another implementation.

use std::net::Ipv6Addr;

use etherparse::PacketBuilder;
use fabric::{Framing, Policy, Prefix, Rule, Switch, VNET_BYTES};
use model::{CutForm, Ports};

use crate::bench::{A, A_TO_B, B, Bench, Out, address, policy, udp};

fn reject() -> Rule {
    Rule::cut(Ports::All, CutForm::Reject)
}

fn framed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = vec![0; VNET_BYTES];
    write(&mut frame);
    frame
}

/// What A gets back for a TCP segment of `payload` bytes; `None` for silence.
fn answer_to_tcp(syn: bool, ack: Option<u32>, rst: bool, payload: usize) -> Option<Vec<u8>> {
    let mut step = PacketBuilder::ipv4(address(0).octets(), address(1).octets(), 64)
        .tcp(1_000, 80, 5_000, 1_024);
    if syn {
        step = step.syn();
    }
    if rst {
        step = step.rst();
    }
    if let Some(number) = ack {
        step = step.ack(number);
    }
    let frame =
        framed(|frame| step.write(frame, &vec![7; payload]).expect("a vector takes everything"));
    let mut bench = Bench::with_rule(1, reject());
    bench.receive(A, &frame);
    assert_eq!(bench.link(A_TO_B).rejected.packets, 1);
    let sent = bench.out.sent.pop()?;
    assert_eq!(sent.to, A);
    Some(sent.frame)
}

#[test]
fn tcp_is_reset_as_the_standard_says() {
    let back = || PacketBuilder::ipv4(address(1).octets(), address(0).octets(), 64);
    let to_syn = framed(|frame| {
        back().tcp(80, 1_000, 0, 0).rst().ack(5_001).write(frame, &[]).expect("writes")
    });
    assert_eq!(answer_to_tcp(true, None, false, 0), Some(to_syn));
    let to_data =
        framed(|frame| back().tcp(80, 1_000, 777, 0).rst().write(frame, &[]).expect("writes"));
    assert_eq!(answer_to_tcp(false, Some(777), false, 100), Some(to_data));
    assert_eq!(answer_to_tcp(false, None, true, 0), None, "a reset is never answered");
}

#[test]
fn udp_learns_that_the_port_is_unreachable() {
    let frame = udp(A, B, 53, 1, 2_000);
    let mut bench = Bench::with_rule(1, reject());
    bench.receive(A, &frame);
    let quoted = &frame[VNET_BYTES..VNET_BYTES + 548];
    let expected = framed(|frame| {
        let step = PacketBuilder::ipv4(address(1).octets(), address(0).octets(), 64)
            .icmpv4_raw(3, 3, [0; 4]);
        step.write(frame, quoted).expect("writes");
    });
    assert_eq!(bench.out.sent[0].frame, expected);
}

#[test]
fn ipv6_is_answered_alike_and_errors_never() {
    let at = |last: u16| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last);
    let mut switch = Switch::new(Framing::Ip, 1);
    switch.set_port(A, &[Prefix::host(at(1).into())]);
    switch.set_port(B, &[Prefix::host(at(2).into())]);
    switch.apply(0, &policy(reject()));
    let mut out = Out::default();
    let there = || PacketBuilder::ipv6(at(1).octets(), at(2).octets(), 64);
    let back = || PacketBuilder::ipv6(at(2).octets(), at(1).octets(), 64);

    let frame = framed(|frame| there().udp(1, 2).write(frame, &[5; 30]).expect("writes"));
    switch.receive(0, A, &frame, &mut out);
    let quoted = &frame[VNET_BYTES..];
    let expected =
        framed(|frame| back().icmpv6_raw(1, 4, [0; 4]).write(frame, quoted).expect("writes"));
    assert_eq!(out.sent.pop().expect("an answer").frame, expected);

    let frame = framed(|frame| there().tcp(1, 2, 9, 9).syn().write(frame, &[]).expect("writes"));
    switch.receive(0, A, &frame, &mut out);
    let expected =
        framed(|frame| back().tcp(2, 1, 0, 0).rst().ack(10).write(frame, &[]).expect("writes"));
    assert_eq!(out.sent.pop().expect("an answer").frame, expected);

    let error =
        framed(|frame| there().icmpv6_raw(1, 4, [0; 4]).write(frame, quoted).expect("writes"));
    switch.receive(0, A, &error, &mut out);
    assert_eq!(out.sent, []);
}

#[test]
fn ethernet_addresses_change_places() {
    let mut switch = Switch::new(Framing::Ethernet, 1);
    switch.set_port(A, &[Prefix::host(address(0).into())]);
    switch.set_port(B, &[Prefix::host(address(1).into())]);
    switch.apply(0, &Policy { links: [(A_TO_B, reject())].into() });
    let mut frame = vec![0; VNET_BYTES];
    frame.extend([[2; 6], [4; 6]].concat());
    frame.extend([0x08, 0x00]);
    frame.extend(&udp(A, B, 9, 0, 8)[VNET_BYTES..]);
    let mut out = Out::default();
    switch.receive(0, A, &frame, &mut out);
    let answer = out.sent.pop().expect("an answer").frame;
    assert_eq!(
        answer[VNET_BYTES..VNET_BYTES + 14],
        [[4; 6].as_slice(), &[2; 6], &[0x08, 0x00]].concat()
    );
}
