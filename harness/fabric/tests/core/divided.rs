//! Super-packets on links that draw per packet: each segment has its own fate, and what survives is what was sent.

use std::time::Duration;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use fabric::{Rule, VNET_BYTES};
use model::{CutForm, Lever, LinkQuality, Ports};

use crate::bench::{A, A_TO_B, B, Bench, MS, Sent, address, chances, delay, loss, rate};

const MSS: usize = 1_448;
const HEADERS: usize = 20 + 20;
const SEGMENTS: usize = 30;
const BYTES: usize = MSS * (SEGMENTS - 1) + 100;

/// A TCP super-packet as a kernel hands it over; byte `n` of the stream is a function of `n`.
fn super_packet(sequence: u32) -> Vec<u8> {
    let payload: Vec<u8> = (0..BYTES).map(|at| byte(sequence as usize + at)).collect();
    let step = PacketBuilder::ipv4(address(0).octets(), address(1).octets(), 64)
        .tcp(5_000, 80, sequence, 1_000)
        .ack(9)
        .psh();
    let mut frame = vec![0; VNET_BYTES];
    step.write(&mut frame, &payload).expect("a vector takes everything");
    frame[..2].copy_from_slice(&[1, 1]);
    for (at, value) in [(2, HEADERS), (4, MSS), (6, 20), (8, 16)] {
        frame[at..at + 2].copy_from_slice(&(value as u16).to_ne_bytes());
    }
    // The pseudo-header's sum stands where the checksum will be.
    let length = (20 + BYTES) as u16;
    let words = address(0)
        .octets()
        .into_iter()
        .chain(address(1).octets())
        .chain([0, 6])
        .chain(length.to_be_bytes());
    let words: Vec<u8> = words.collect();
    let sum = words
        .chunks(2)
        .fold(0u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let folded = (sum & 0xffff) + (sum >> 16);
    frame[VNET_BYTES + 36..VNET_BYTES + 38].copy_from_slice(&(folded as u16).to_be_bytes());
    frame
}

fn byte(at: usize) -> u8 {
    (at.wrapping_mul(2_654_435_761) >> 13) as u8
}

/// Stream position and payload of what came out.
fn tcp(sent: &Sent) -> (u32, Vec<u8>) {
    let packet = SlicedPacket::from_ip(&sent.frame[VNET_BYTES..]).expect("a whole packet");
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("TCP") };
    (tcp.sequence_number(), tcp.payload().to_vec())
}

fn send(bench: &mut Bench, count: usize) {
    for number in 0..count {
        bench.receive(A, &super_packet((number * BYTES) as u32));
        bench.advance(MS);
    }
}

#[test]
fn a_delay_leaves_it_whole() {
    let mut bench = Bench::with_rule(1, delay(Duration::from_millis(2)));
    let frame = super_packet(0);
    bench.receive(A, &frame);
    bench.advance(2 * MS);
    assert_eq!(bench.out.sent.iter().map(|sent| &sent.frame).collect::<Vec<_>>(), [&frame]);
    assert_eq!(bench.link(A_TO_B).passed.packets, 1);
}

#[test]
fn loss_is_drawn_for_each_segment_and_the_rest_arrives_unharmed() {
    const COUNT: usize = 300;
    let mut bench = Bench::with_rule(3, loss(&[0.05]).into());
    send(&mut bench, COUNT);
    let link = bench.link(A_TO_B);
    let sent = (COUNT * SEGMENTS) as u64;
    assert_eq!((link.arrived.packets, link.passed.packets), (sent, sent - link.lost.packets));
    let off = (link.lost.packets as f64 - sent as f64 * 0.05).abs();
    assert!(
        off <= 4.0 * (sent as f64 * 0.05 * 0.95).sqrt(),
        "{} of {sent} lost",
        link.lost.packets
    );
    assert_eq!((link.undivided, link.hits(Lever::Loss).established), (0, link.lost.packets));
    let mut bytes = 0;
    for sent in &bench.out.sent {
        let (at, payload) = tcp(sent);
        assert!(
            payload.iter().enumerate().all(|(offset, found)| *found == byte(at as usize + offset))
        );
        bytes += payload.len();
        let gso = u16::from_ne_bytes([sent.frame[4], sent.frame[5]]);
        assert_eq!(gso == 0, payload.len() <= MSS, "one segment is an ordinary packet");
    }
    assert!(
        bytes < COUNT * BYTES && bench.out.sent.len() < link.passed.packets as usize / 3,
        "neighbours travel as one"
    );
    assert_eq!(bytes + HEADERS * link.passed.packets as usize, link.passed.bytes as usize);
}

#[test]
fn each_segment_leaves_the_serialiser_at_its_own_time() {
    // 1 488 bytes at 11.904 Mbit/s: a millisecond each.
    let mut bench = Bench::with_rule(1, rate(11_904_000, 1 << 20).into());
    bench.receive(A, &super_packet(0));
    bench.advance(100 * MS);
    let times: Vec<u64> = bench.out.sent.iter().map(|sent| sent.at).collect();
    let whole: Vec<u64> = (1..SEGMENTS as u64).map(|number| number * MS).collect();
    assert_eq!(times[..SEGMENTS - 1], whole);
    assert!(
        times[SEGMENTS - 1] > whole[SEGMENTS - 2] && times[SEGMENTS - 1] < SEGMENTS as u64 * MS,
        "the last one is short"
    );
}

#[test]
fn copies_damage_and_jumps_concern_single_segments() {
    let quality = LinkQuality {
        duplicate: chances(&[0.1]),
        corrupt: chances(&[0.1]),
        reorder: chances(&[0.1]),
        ..LinkQuality::default()
    };
    let quality = quality.then(&delay(Duration::from_millis(3)).quality);
    let mut bench = Bench::with_rule(5, quality.into());
    send(&mut bench, 100);
    bench.advance(10 * MS);
    let link = bench.link(A_TO_B);
    assert_eq!(link.passed.packets, link.arrived.packets + link.copies.packets);
    let of = |lever| link.hits(lever).packets;
    for lever in [Lever::Duplicate, Lever::Corrupt, Lever::Reorder] {
        let off = (of(lever) as f64 - 300.0).abs();
        assert!(off <= 4.0 * (3_000.0f64 * 0.1 * 0.9).sqrt(), "{lever:?}: {} of 3 000", of(lever));
    }
    assert_eq!(link.corrupted.packets, of(Lever::Corrupt));
}

#[test]
fn a_super_packet_whose_segments_fit_the_mtu_passes_whole() {
    let of = |bytes: usize| LinkQuality { mtu: Some(bytes as u32), ..LinkQuality::default() };
    let mut bench = Bench::with_rule(1, of(MSS + HEADERS).into());
    bench.receive(A, &super_packet(0));
    assert_eq!((bench.out.sent.len(), bench.out.sent[0].to), (1, B));
    bench.apply(&crate::bench::policy(of(MSS + HEADERS - 1).into()));
    bench.receive(A, &super_packet(0));
    assert_eq!((bench.out.sent.len(), bench.out.sent[1].to), (2, A), "the sender is told");
    assert_eq!(bench.link(A_TO_B).too_big.packets, 1);
}

#[test]
fn a_jam_lets_a_connection_open_and_stay_and_delivers_nothing() {
    let mut bench = Bench::with_rule(1, Rule::cut(Ports::All, CutForm::Jam));
    let step = || PacketBuilder::ipv4(address(0).octets(), address(1).octets(), 64).tcp(1, 2, 3, 4);
    for (step, payload, passes) in [
        (step().syn(), 0, true),
        (step().ack(1), 0, true),
        (step().ack(1), 10, false),
        (step().fin().ack(1), 0, true),
    ] {
        let mut frame = vec![0; VNET_BYTES];
        step.write(&mut frame, &vec![0; payload]).expect("a vector takes everything");
        bench.out.sent.clear();
        bench.receive(A, &frame);
        assert_eq!(bench.out.sent.len() == 1, passes, "{payload} bytes");
    }
    let link = bench.link(A_TO_B);
    assert_eq!(
        (link.cut.packets, link.hits(Lever::Jam).packets, link.hits(Lever::Jam).established),
        (1, 1, 1)
    );
}
