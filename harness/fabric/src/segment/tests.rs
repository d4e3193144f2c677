//! Every partition of a super-packet against what another implementation writes for the same part of its payload.

use proptest::prelude::*;

use super::{Head, Super};
use crate::checksum::complete;
use crate::packet::Packet;
use crate::samples::{Sample, Sum, cases, sample, verifies};
use crate::switch::{Framing, VNET_BYTES};

impl Sample {
    /// The naive segmenter: the same packet with the payload, the numbers and the flags of `first..end`.
    fn part(&self, first: usize, end: usize) -> Self {
        let payload =
            &self.payload[first * self.gso_size..self.payload.len().min(end * self.gso_size)];
        let (is_first, is_last) = (first == 0, end * self.gso_size >= self.payload.len());
        let [fin, psh, ece, cwr] = self.flags;
        Self {
            identification: self.identification.wrapping_add(first as u16),
            sequence: self.sequence.wrapping_add((first * self.gso_size) as u32),
            flags: [fin && is_last, psh && is_last, ece, cwr && is_first],
            ecn: self.ecn && is_first,
            payload: payload.to_vec(),
            ..self.clone()
        }
    }

    fn super_of(&self, frame: &[u8]) -> Option<Super> {
        let ip_at = self.framing.ip_at();
        Super::read(frame, ip_at, &Packet::read(&frame[ip_at..]).expect("a sample can be read"))
    }
}

/// Cuts into runs of `lengths`, over and over, and compares each.
fn check(sample: &Sample, sum: Sum, lengths: &[usize]) -> Result<(), TestCaseError> {
    let (ip_at, frame) = (sample.framing.ip_at(), sample.frame(sum));
    let whole = sample.super_of(&frame).expect("a sample is a super-packet");
    let count = sample.payload.len().div_ceil(sample.gso_size);
    prop_assert_eq!(whole.count(), count);
    let (mut first, mut payload, mut head) = (0, Vec::<u8>::new(), Head::default());
    for length in lengths.iter().cycle() {
        let end = count.min(first + length);
        let range = whole.run(&frame, first, end, &mut head);
        let mut run = [head.bytes(), &frame[range.clone()]].concat();
        let part = sample.part(first, end);
        prop_assert!(run == part.frame(Sum::Partial), "{first}..{end}");
        prop_assert!(complete(&mut run, ip_at));
        prop_assert!(run[VNET_BYTES..] == part.frame(Sum::Full)[VNET_BYTES..], "{first}..{end}");
        prop_assert!(verifies(&run, ip_at));
        if end - first == 1 {
            prop_assert_eq!(whole.ip_bytes(first), run.len() - ip_at);
        }
        payload.extend(&frame[range]);
        first = end;
        if first == count {
            break;
        }
    }
    prop_assert!(payload == sample.payload);
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn runs_are_what_a_naive_segmenter_writes(sample in sample(), lengths in prop::collection::vec(1..9usize, 1..9)) {
        check(&sample, Sum::Partial, &lengths)?;
    }

    #[test]
    fn single_segments_are_too(sample in sample()) {
        check(&sample, Sum::Partial, &[1])?;
    }

    #[test]
    fn one_run_of_all_is_the_frame(sample in sample()) {
        check(&sample, Sum::Partial, &[usize::from(u16::MAX)])?;
    }

    #[test]
    fn a_full_checksum_becomes_partial(sample in sample(), lengths in prop::collection::vec(1..9usize, 1..9)) {
        check(&Sample { extension: 0, ..sample }, Sum::Full, &lengths)?;
    }

    #[test]
    fn no_source_route_is_guessed(sample in sample()) {
        let is_plain = sample.extension == 0;
        prop_assert_eq!(sample.super_of(&sample.frame(Sum::Full)).is_some(), is_plain);
    }
}

fn plain(is_tcp: bool) -> Sample {
    Sample {
        framing: Framing::Ip,
        is_v4: true,
        is_tcp,
        extension: 0,
        tcp_options: 0,
        identification: 7,
        sequence: u32::MAX - 5,
        flags: [true; 4],
        ecn: is_tcp,
        gso_size: 10,
        payload: vec![3; 25],
    }
}

#[test]
fn sequence_numbers_wrap_and_flags_stay_at_their_ends() {
    let frame = plain(true).frame(Sum::Partial);
    let whole = plain(true).super_of(&frame).expect("a super-packet");
    let mut head = Head::default();
    let mut seen = Vec::new();
    for index in 0..whole.count() {
        whole.run(&frame, index, index + 1, &mut head);
        let tcp = Packet::read(&[&head.bytes()[VNET_BYTES..], &[0; 10]].concat())
            .expect("it has a length")
            .tcp
            .expect("it is TCP");
        seen.push((tcp.sequence, tcp.flags));
    }
    assert_eq!(seen, [(u32::MAX - 5, 0xd0), (4, 0x50), (14, 0x59)]);
}

#[test]
fn what_cannot_be_cut_is_one_packet() {
    let sample = plain(false);
    let frame = sample.frame(Sum::Partial);
    let changed = |at: usize, value: u8| {
        let mut frame = frame.clone();
        frame[at] = value;
        sample.super_of(&frame).is_some()
    };
    assert!(sample.super_of(&frame).is_some());
    assert!(!changed(1, 0), "not a super-packet");
    assert!(!changed(1, 3), "legacy UFO is cut into fragments");
    assert!(!changed(1, 1), "a type for TCP");
    assert!(!changed(4, 0), "no size");
    assert!(!changed(4, 25), "one segment");
    assert!(!changed(6, 21), "a checksum that begins elsewhere");
    assert!(!changed(8, 7), "a checksum that is elsewhere");
    assert!(!changed(VNET_BYTES + 6, 0x20), "a first fragment");
    assert!(!changed(VNET_BYTES + 25, 34), "a UDP length that is not that of the packet");
    let extended = |extension| {
        let sample = Sample {
            is_v4: false,
            is_tcp: true,
            extension,
            tcp_options: 10,
            framing: Framing::Ethernet,
            ..plain(true)
        };
        sample.super_of(&sample.frame(Sum::Partial)).is_some()
    };
    assert!(extended(8) && !extended(9), "headers of 188 and 196 bytes");
    let mut unsummed = sample.frame(Sum::Full);
    unsummed[VNET_BYTES + 26..VNET_BYTES + 28].fill(0);
    assert!(sample.super_of(&unsummed).is_none(), "no checksum at all");
}
