//! Sums against their definition, completed checksums against another implementation, and corruption that no receiver takes.

use proptest::prelude::*;

use super::{add, complete, corrupt};
use crate::packet::{Packet, SCTP};
use crate::samples::{Sample, Sum, cases, naive_sum, sample, verifies};
use crate::switch::{Framing, VNET_BYTES};
use crate::vnet::Vnet;

/// Somebody has checked it already; the receiver need not.
const DATA_VALID: u8 = 2;

/// One segment, as it stands on the link where it is corrupted.
fn single() -> impl Strategy<Value = Sample> {
    sample().prop_map(|sample| {
        let payload = sample.payload[..sample.payload.len() % (sample.gso_size + 1)].to_vec();
        Sample { payload, ..sample }
    })
}

fn read(sample: &Sample, frame: &[u8]) -> Packet {
    Packet::read(&frame[sample.framing.ip_at()..]).expect("a sample can be read")
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_sum_is_what_its_definition_says(before: u16, bytes in prop::collection::vec(any::<u8>(), 0..300), skipped in 0..8usize) {
        let bytes = bytes.get(skipped..).unwrap_or_default();
        prop_assert_eq!(add(before, bytes), naive_sum(&[&before.to_be_bytes(), bytes].concat()));
    }

    #[test]
    fn a_completed_checksum_is_taken(sample in prop_oneof![sample(), single()], padding in prop::collection::vec(any::<u8>(), 0..9)) {
        let partial = sample.frame(Sum::Partial);
        let mut frame = [partial.as_slice(), &padding].concat();
        prop_assert!(complete(&mut frame, sample.framing.ip_at()));
        let full = [&sample.frame(Sum::Full), padding.as_slice()].concat();
        prop_assert!(frame[VNET_BYTES..] == full[VNET_BYTES..]);
        prop_assert!(verifies(&frame, sample.framing.ip_at()));
        prop_assert_eq!(Vnet { flags: 0, ..Vnet::read(&partial).expect("a header") }, Vnet::read(&frame).expect("a header"));
    }

    #[test]
    fn a_full_checksum_is_left_alone(sample in single()) {
        let mut frame = sample.frame(Sum::Full);
        prop_assert!(complete(&mut frame, sample.framing.ip_at()));
        prop_assert!(frame == sample.frame(Sum::Full));
    }

    #[test]
    fn a_corrupted_frame_is_refused(
        sample in prop_oneof![sample(), single()],
        sum in prop_oneof![Just(Sum::Partial), Just(Sum::Full)],
        flags in prop_oneof![Just(0), Just(DATA_VALID)],
        random: u64,
    ) {
        let (ip_at, mut frame) = (sample.framing.ip_at(), sample.frame(sum));
        frame[0] |= flags;
        let packet = read(&sample, &frame);
        prop_assert!(corrupt(&mut frame, ip_at, &packet, random));
        prop_assert!(!verifies(&frame, ip_at));
        prop_assert_eq!(frame[0], 0);
        let full = sample.frame(Sum::Full);
        let flipped: Vec<_> = (VNET_BYTES..full.len()).filter(|&at| full[at] != frame[at]).collect();
        prop_assert_eq!(flipped.len(), 1);
        prop_assert!(flipped[0] >= ip_at + packet.transport);
        prop_assert_eq!((full[flipped[0]] ^ frame[flipped[0]]).count_ones(), 1);
    }
}

fn datagram(payload: &[u8]) -> Sample {
    Sample {
        framing: Framing::Ip,
        is_v4: true,
        is_tcp: false,
        extension: 0,
        tcp_options: 0,
        identification: 0,
        sequence: 0,
        flags: [false; 4],
        ecn: false,
        gso_size: 1_000,
        payload: payload.to_vec(),
    }
}

#[test]
fn a_sum_of_zero_is_not_no_checksum() {
    let mut frame = datagram(&[0, 0]).frame(Sum::Partial);
    assert!(complete(&mut frame, VNET_BYTES));
    let checksum = [frame[VNET_BYTES + 26], frame[VNET_BYTES + 27]];
    let mut frame = datagram(&checksum).frame(Sum::Partial);
    assert!(complete(&mut frame, VNET_BYTES));
    assert_eq!(frame[VNET_BYTES + 26..VNET_BYTES + 28], [0xff, 0xff]);
    assert!(verifies(&frame, VNET_BYTES));
}

/// All of them, since a length of less or a checksum of zero would be taken.
#[test]
fn no_bit_of_a_datagram_is_flipped_in_vain() {
    let mut zeros = datagram(&[0, 0]).frame(Sum::Partial);
    assert!(complete(&mut zeros, VNET_BYTES));
    let checksum = &zeros[VNET_BYTES + 26..VNET_BYTES + 28];
    // With this payload the checksum is 0x0100, one bit away from none.
    let one_bit = add(0xfeff, checksum).to_be_bytes();
    // Two bytes less, here and in the pseudo-header, subtract as much as the lost payload does.
    let shorter = [0xff, 0xfb];
    for payload in [[].as_slice(), &[9], &[0; 7], &one_bit, &shorter] {
        let frame = datagram(payload).frame(Sum::Partial);
        let packet = Packet::read(&frame[VNET_BYTES..]).expect("a packet");
        let bits = 8 * (4 + payload.len() as u64);
        let all: std::collections::BTreeSet<_> = (0..bits)
            .map(|random| {
                let mut frame = frame.clone();
                assert!(corrupt(&mut frame, VNET_BYTES, &packet, random));
                assert!(!verifies(&frame, VNET_BYTES), "bit {random}");
                frame
            })
            .collect();
        assert_eq!(all.len() as u64, bits, "each is another one");
    }
}

#[test]
fn nothing_behind_the_header_is_nothing_to_flip() {
    let mut frame = datagram(&[]).frame(Sum::Partial);
    frame.truncate(VNET_BYTES + 20);
    frame[VNET_BYTES + 3] = 20;
    let packet = Packet::read(&frame[VNET_BYTES..]).expect("a packet");
    let before = frame.clone();
    assert!(!corrupt(&mut frame, VNET_BYTES, &packet, 5));
    assert_eq!(frame, before);
}

#[test]
fn the_checksum_of_sctp_is_another() {
    let mut frame = datagram(&[0; 20]).frame(Sum::Partial);
    frame[VNET_BYTES + 9] = SCTP;
    let before = frame.clone();
    assert!(!complete(&mut frame, VNET_BYTES));
    assert_eq!(frame, before);
}

#[test]
fn a_checksum_outside_the_packet_stays_a_promise() {
    for (at, value) in [(6, 0), (6, 27), (8, 200)] {
        let mut frame = datagram(&[]).frame(Sum::Partial);
        frame[at] = value;
        // Begins in front of the packet in an Ethernet frame.
        let ip_at = if value == 0 { Framing::Ethernet.ip_at() } else { VNET_BYTES };
        if value == 0 {
            frame.splice(VNET_BYTES..VNET_BYTES, [0; 14]);
        }
        let before = frame.clone();
        assert!(!complete(&mut frame, ip_at));
        assert_eq!(frame, before);
    }
}
