//! Whatever bytes arrive, nothing that reads or rewrites a packet panics, and nothing grows beyond what is allowed.

use kit::Corpus;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::checksum::{complete, corrupt};
use crate::packet::{ICMP, ICMP6, Packet, TCP, UDP};
use crate::replies::{reply, too_big};
use crate::samples::{Sum, cases, sample};
use crate::segment::{Head, Super};
use crate::switch::{Framing, VNET_BYTES};

/// Bytes of the longest packet that every host takes (RFC 791, RFC 8200).
const ANSWER_MAX: usize = 1_280;

fn try_all(frame: &[u8], ip_at: usize, random: u64) -> Result<(), TestCaseError> {
    let mut completed = frame.to_vec();
    complete(&mut completed, ip_at);
    prop_assert_eq!(completed.len(), frame.len());
    let Some(packet) = frame.get(ip_at..).and_then(Packet::read) else { return Ok(()) };
    prop_assert!(packet.transport <= packet.bytes && packet.bytes <= frame.len() - ip_at);

    let mut corrupted = frame.to_vec();
    let is_corrupted = corrupt(&mut corrupted, ip_at, &packet, random);
    prop_assert_eq!(is_corrupted, packet.transport < packet.bytes);
    prop_assert_eq!(corrupted.len(), frame.len());

    let ip = &frame[ip_at..];
    for answer in [reply(ip, &packet), too_big(ip, &packet, random as u32)].into_iter().flatten() {
        let max = if packet.source.is_ipv4() { 576 } else { ANSWER_MAX };
        prop_assert!(answer.len() <= max);
        let read = Packet::read(&answer).expect("an answer can be read");
        prop_assert_eq!(
            (read.source, read.destination, read.bytes),
            (packet.destination, packet.source, answer.len())
        );
    }
    try_super(frame, ip_at, &packet, random as usize)
}

fn try_super(
    frame: &[u8],
    ip_at: usize,
    packet: &Packet,
    random: usize,
) -> Result<(), TestCaseError> {
    let Some(whole) = Super::read(frame, ip_at, packet) else { return Ok(()) };
    let (count, mut head) = (whole.count(), Head::default());
    prop_assert!(count >= 2);
    let first = random % count;
    let more = random / count % (count - first);
    for (first, end) in [(0, 1), (first, first + 1 + more), (count - 1, count), (0, count)] {
        let payload = whole.run(frame, first, end, &mut head);
        let run = [head.bytes(), &frame[payload]].concat();
        let part = Packet::read(&run[ip_at..]).expect("a run can be read");
        prop_assert_eq!(part.bytes, run.len() - ip_at);
        prop_assert!(part.bytes <= packet.bytes);
        prop_assert_eq!((part.transport, part.protocol), (packet.transport, packet.protocol));
        if end - first == 1 {
            prop_assert_eq!(part.bytes, whole.ip_bytes(first));
            prop_assert!(Super::read(&run, ip_at, &part).is_none());
        } else {
            let again =
                Super::read(&run, ip_at, &part).expect("a run of several is a super-packet");
            prop_assert_eq!(again.count(), end - first);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn random_bytes_never_panic(mut frame in prop::collection::vec(any::<u8>(), 0..300), ethernet: bool, plausible: bool, random: u64) {
        let ip_at = if ethernet { Framing::Ethernet.ip_at() } else { VNET_BYTES };
        // A version, a length and a type that let more of it be read.
        if plausible && frame.len() > ip_at + 40 {
            let bytes = frame.len() - ip_at;
            let (at, length, version) = if frame[0] & 4 == 0 { (2, bytes, 0x45) } else { (4, bytes - 40, 0x60) };
            frame[ip_at] = version;
            frame[ip_at + at..ip_at + at + 2].copy_from_slice(&(length as u16).to_be_bytes());
            let protocol_at = ip_at + if version == 0x45 { 9 } else { 6 };
            frame[protocol_at] = [TCP, UDP, ICMP, ICMP6, 0, 43, 44, 60][usize::from(frame[protocol_at] & 7)];
            frame[1] = [0, 1, 4, 5][usize::from(frame[1] & 3)];
            (frame[5], frame[8], frame[9]) = (0, frame[8] & 31, 0);
        }
        try_all(&frame, ip_at, random)?;
    }

    #[test]
    fn broken_frames_never_panic(
        sample in sample(),
        full: bool,
        broken in prop::collection::vec((0..200usize, any::<u8>()), 0..6),
        shorter in prop::option::of(any::<prop::sample::Index>()),
        random: u64,
    ) {
        let mut frame = sample.frame(if full { Sum::Full } else { Sum::Partial });
        if let Some(index) = shorter {
            frame.truncate(index.index(frame.len()));
        }
        for (at, value) in broken {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        try_all(&frame, sample.framing.ip_at(), random)?;
    }
}

/// Frames that a kernel could have handed over, from the same samples that the properties use; the first byte says how it is framed.
fn corpus() -> Corpus {
    let mut runner = TestRunner::deterministic();
    let mut inputs = vec![];
    for number in 0..200 {
        let sample =
            sample().new_tree(&mut runner).expect("samples are made without conditions").current();
        let frame = sample.frame(if number % 2 == 0 { Sum::Full } else { Sum::Partial });
        let ethernet = u8::from(matches!(sample.framing, Framing::Ethernet));
        inputs.push((format!("sample {number}"), [&[ethernet], frame.as_slice()].concat()));
    }
    // Versions, protocols, extension headers and offloads.
    let words: [&[u8]; 12] = [
        &[0x45, 0],
        &[0x4f, 0],
        &[0x60, 0, 0, 0],
        &[TCP],
        &[UDP],
        &[ICMP],
        &[ICMP6],
        &[0, 0, 44, 0],
        &[43, 255],
        &[0xff, 0xff],
        &[0, 1],
        &[1, 4],
    ];
    Corpus { inputs, words: words.map(<[u8]>::to_vec).into() }
}

/// The same as the properties above, for as long as somebody asks (`cargo xtask fuzz`).
#[test]
fn no_frame_breaks_what_reads_it() {
    kit::fuzz("packet", &corpus(), |input| {
        let Some((ethernet, frame)) = input.split_first() else { return };
        let ip_at = if *ethernet == 1 { Framing::Ethernet.ip_at() } else { VNET_BYTES };
        // What the draws depend on comes from the frame, so that one file repeats it all.
        let mixed =
            |random: u64, byte: &u8| (random ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        try_all(frame, ip_at, frame.iter().fold(1, mixed)).expect("what the properties hold");
    });
}
