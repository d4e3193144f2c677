//! The flight recorder: the newest packet headers of every link, kept in memory that is set aside at the start. It is owned by
//! one worker, so recording takes no lock, allocates nothing and asks for no time.
//! Deliberately absent: when a copy is taken, what it is called and where it goes (the lab does that).
//!
//! Memory is cut into blocks of records, and a link fills one block after another. When all are in use, the block that goes is
//! the oldest of those links that hold more than their floor, half of an equal share. So a busy link keeps the newest packets
//! of the whole worker, and cannot push out the last ones of a quiet link.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::disposition::Disposition;
use crate::policy::Link;

/// Bytes of a packet that are kept, from its IP header on: IPv6 and TCP with all options fit.
pub(crate) const SNAP_BYTES: usize = 112;
const HEADER_BYTES: usize = 16;
const RECORD_BYTES: usize = HEADER_BYTES + SNAP_BYTES;
/// Records of a block: 4 KiB.
const BLOCK: usize = 32;
/// Packets that are copied while the worker's other packets wait; some tens of microseconds.
const PIECE: usize = 16 * BLOCK;
const NONE: u32 = u32::MAX;

/// A recorded packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// CLOCK_MONOTONIC, nanoseconds: when the switch met it.
    pub at_ns: u64,
    pub link: Link,
    pub disposition: Disposition,
    /// Of the whole IP packet; a super-packet (GSO) is one record.
    pub ip_bytes: u32,
    head_bytes: u8,
    head: [u8; SNAP_BYTES],
}

impl Packet {
    /// Its first bytes, from the IP header on; at most 112.
    pub fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_bytes)]
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at_ns, link, disposition, ip_bytes, .. } = self;
        write!(
            f,
            "{at_ns} ns {} -> {} {} of {ip_bytes} bytes",
            link.from.0,
            link.to.0,
            disposition.word()
        )
    }
}

/// The recorder of one worker.
pub(crate) struct FlightRecorder {
    /// Plain bytes, because those are the zeroes that an allocator asks the kernel for (`calloc`), who hands out pages only when they are
    /// written. Arrays as elements would be written one by one at the start.
    records: Vec<u8>,
    blocks: Vec<Block>,
    /// Blocks below this one have been used.
    fresh: usize,
    chains: Vec<Chain>,
    by_link: HashMap<Link, usize, BuildHasherDefault<LinkHasher>>,
}

#[derive(Clone, Copy, Default)]
struct Block {
    newest_ns: u64,
    chain: u32,
    next: u32,
    used: u32,
}

/// The blocks of a link, the oldest first.
struct Chain {
    link: Link,
    blocks: usize,
    oldest: u32,
    newest: u32,
}

impl FlightRecorder {
    /// Memory for `bytes / 128` packets. With less than 4 KiB it records nothing.
    pub(crate) fn new(bytes: usize) -> Self {
        let blocks = bytes / (BLOCK * RECORD_BYTES);
        Self {
            records: vec![0; blocks * BLOCK * RECORD_BYTES],
            blocks: vec![Block::default(); blocks],
            fresh: 0,
            chains: Vec::new(),
            by_link: HashMap::default(),
        }
    }

    /// Keeps the first bytes of `ip`, which begins with the IP header; `ip_bytes` is the true length of the packet. `now_ns` never
    /// runs backwards.
    #[inline]
    pub(crate) fn record(
        &mut self,
        now_ns: u64,
        link: Link,
        disposition: Disposition,
        ip: &[u8],
        ip_bytes: usize,
    ) {
        if self.blocks.is_empty() {
            return;
        }
        let block = self.block_of(link);
        let Block { newest_ns, used, .. } = &mut self.blocks[block];
        let record =
            &mut self.records.as_chunks_mut::<RECORD_BYTES>().0[block * BLOCK + *used as usize];
        *newest_ns = now_ns;
        *used += 1;
        let head_bytes = ip.len().min(ip_bytes).min(SNAP_BYTES);
        record[..8].copy_from_slice(&now_ns.to_ne_bytes());
        record[8..12].copy_from_slice(&(ip_bytes as u32).to_ne_bytes());
        record[12] = disposition as u8;
        record[13] = head_bytes as u8;
        record[HEADER_BYTES..HEADER_BYTES + head_bytes].copy_from_slice(&ip[..head_bytes]);
    }

    /// Everything from `since_ns` on that is still there, in the order of time.
    #[cfg(test)]
    pub(crate) fn recent(&self, since_ns: u64) -> Vec<Packet> {
        let mut packets = Vec::new();
        let mut piece = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            next = self.copy(since_ns, from, &mut piece);
            packets.append(&mut piece);
        }
        packets.sort_by_key(|packet| packet.at_ns);
        packets
    }

    /// Copies a piece of everything from `since_ns` on, in no order, so that other packets need not wait for the whole: some hundred
    /// packets into `out`. Start `from` 0, with an empty `out` each time; the answer is where to go on. Whatever is recorded between
    /// two pieces may be missing, but no packet comes twice.
    pub(crate) fn copy(&self, since_ns: u64, from: usize, out: &mut Vec<Packet>) -> Option<usize> {
        for index in from..self.fresh {
            let block = &self.blocks[index];
            if block.newest_ns < since_ns {
                continue;
            }
            if out.len() >= PIECE {
                return Some(index);
            }
            let link = self.chains[block.chain as usize].link;
            let records =
                &self.records.as_chunks::<RECORD_BYTES>().0[index * BLOCK..][..block.used as usize];
            out.extend(
                records
                    .iter()
                    .map(|record| read(record, link))
                    .filter(|packet| packet.at_ns >= since_ns),
            );
        }
        None
    }

    /// A block of this link with room in it.
    #[inline]
    fn block_of(&mut self, link: Link) -> usize {
        let chain = match self.by_link.get(&link) {
            Some(&chain) => chain,
            None => self.add_chain(link),
        };
        let newest = self.chains[chain].newest;
        if newest != NONE && (self.blocks[newest as usize].used as usize) < BLOCK {
            newest as usize
        } else {
            self.grow(chain)
        }
    }

    #[cold]
    fn add_chain(&mut self, link: Link) -> usize {
        self.chains.push(Chain { link, blocks: 0, oldest: NONE, newest: NONE });
        self.by_link.insert(link, self.chains.len() - 1);
        self.chains.len() - 1
    }

    #[cold]
    fn grow(&mut self, chain: usize) -> usize {
        let block = if self.fresh < self.blocks.len() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            self.evict()
        };
        self.blocks[block] = Block { newest_ns: 0, chain: chain as u32, next: NONE, used: 0 };
        let chain = &mut self.chains[chain];
        chain.blocks += 1;
        match std::mem::replace(&mut chain.newest, block as u32) {
            NONE => chain.oldest = block as u32,
            before => self.blocks[before as usize].next = block as u32,
        }
        block
    }

    /// Takes the oldest block from a link that has more than its floor. One look at every link for each 32 packets.
    fn evict(&mut self) -> usize {
        let floor = self.blocks.len() / 2 / self.chains.len();
        let blocks = &self.blocks;
        let above = self.chains.iter_mut().filter(|chain| chain.blocks > floor);
        let oldest = above.min_by_key(|chain| blocks[chain.oldest as usize].newest_ns);
        let chain = oldest.expect("the floors of all links are half of all blocks at most");
        let block = chain.oldest as usize;
        chain.blocks -= 1;
        chain.oldest = blocks[block].next;
        if chain.oldest == NONE {
            chain.newest = NONE;
        }
        block
    }
}

impl std::fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlightRecorder")
            .field("blocks", &self.blocks.len())
            .field("links", &self.chains.len())
            .finish_non_exhaustive()
    }
}

fn read(record: &[u8; RECORD_BYTES], link: Link) -> Packet {
    let [a, b, c, d, e, f, g, h, i, j, k, l, disposition, head_bytes, _, _, head @ ..] = *record;
    Packet {
        at_ns: u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        link,
        disposition: Disposition::ALL[usize::from(disposition)],
        ip_bytes: u32::from_ne_bytes([i, j, k, l]),
        head_bytes,
        head,
    }
}

/// Two numbers that the lab gave out itself need no defence against whoever chose them, and every packet asks.
#[derive(Default)]
struct LinkHasher(u64);

impl Hasher for LinkHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 by the golden ratio: multiplicative hashing (Knuth, volume 3, 6.4).
        self.0 = (self.0.rotate_left(32) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(26)
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;
    use crate::policy::PortId;

    fn link(from: u32, to: u32) -> Link {
        Link::new(PortId(from), PortId(to))
    }

    fn segment(payload: usize) -> Vec<u8> {
        let mut ip = Vec::new();
        let builder =
            PacketBuilder::ipv4([198, 18, 0, 1], [198, 18, 0, 2], 64).tcp(40_000, 2379, 7, 65_000);
        builder.write(&mut ip, &vec![0xab; payload]).expect("a vector takes everything");
        ip
    }

    /// Packets of each link, in the order in which they come out.
    fn times(flight_recorder: &FlightRecorder, link: Link) -> Vec<u64> {
        flight_recorder
            .recent(0)
            .iter()
            .filter(|packet| packet.link == link)
            .map(|packet| packet.at_ns)
            .collect()
    }

    #[test]
    fn a_packet_comes_back_as_it_was_cut_to_its_head() {
        let mut flight_recorder = FlightRecorder::new(1 << 20);
        let (short, long) = (segment(10), segment(1400));
        flight_recorder.record(5, link(0, 1), Disposition::Passed, &short, short.len());
        flight_recorder.record(6, link(1, 0), Disposition::TooBig, &long, long.len());
        let [first, second] = flight_recorder.recent(0)[..] else { panic!("two packets") };
        assert_eq!(
            (first.at_ns, first.link, first.disposition, first.ip_bytes, first.head()),
            (5, link(0, 1), Disposition::Passed, 50, &short[..])
        );
        assert_eq!(
            (second.at_ns, second.link, second.disposition, second.ip_bytes),
            (6, link(1, 0), Disposition::TooBig, 1440)
        );
        assert_eq!(second.head(), &long[..SNAP_BYTES]);
    }

    #[test]
    fn padding_is_not_kept_and_a_super_packet_is_one_record() {
        let mut flight_recorder = FlightRecorder::new(1 << 20);
        let ip = segment(2);
        flight_recorder.record(
            1,
            link(0, 1),
            Disposition::Lost,
            &[&ip[..], &[0; 30]].concat(),
            ip.len(),
        );
        flight_recorder.record(2, link(0, 1), Disposition::Passed, &segment(60_000), 60_040);
        let packets = flight_recorder.recent(0);
        assert_eq!(packets[0].head(), &ip[..]);
        assert_eq!((packets[1].ip_bytes, packets[1].head().len()), (60_040, SNAP_BYTES));
    }

    #[test]
    fn links_are_merged_in_the_order_of_time_from_a_moment_on() {
        let mut flight_recorder = FlightRecorder::new(1 << 20);
        for at in 0..1000 {
            flight_recorder.record(at, link(0, (at % 7) as u32), Disposition::Passed, &[], 0);
        }
        let at: Vec<u64> = flight_recorder.recent(300).iter().map(|packet| packet.at_ns).collect();
        assert_eq!(at, (300..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_busy_link_keeps_the_newest_and_a_quiet_one_its_last() {
        let (busy, quiet) = (link(0, 1), link(1, 2));
        let blocks = 64;
        let mut flight_recorder = FlightRecorder::new(blocks * BLOCK * RECORD_BYTES);
        for at in 0..10 {
            flight_recorder.record(at, quiet, Disposition::Waiting, &[], 0);
        }
        for at in 10..100_000 {
            flight_recorder.record(at, busy, Disposition::Passed, &[], 0);
        }
        assert_eq!(times(&flight_recorder, quiet), (0..10).collect::<Vec<_>>());
        let kept = times(&flight_recorder, busy);
        assert!(
            kept.len() > (blocks - 2) * BLOCK,
            "all the rest is the busy link's: {}",
            kept.len()
        );
        assert_eq!(
            kept,
            (100_000 - kept.len() as u64..100_000).collect::<Vec<_>>(),
            "without a gap"
        );
    }

    #[test]
    fn who_was_busy_gives_up_to_who_is_down_to_its_floor() {
        let (before, now) = (link(0, 1), link(1, 2));
        let blocks = 64;
        let mut flight_recorder = FlightRecorder::new(blocks * BLOCK * RECORD_BYTES);
        for at in 0..10_000 {
            flight_recorder.record(at, before, Disposition::Passed, &[], 0);
        }
        for at in 10_000..20_000 {
            flight_recorder.record(at, now, Disposition::Passed, &[], 0);
        }
        let floor = blocks / 2 / 2;
        let kept = times(&flight_recorder, before);
        assert_eq!(kept.len().div_ceil(BLOCK), floor);
        assert_eq!(kept.last(), Some(&9_999), "its last packets");
        assert!(times(&flight_recorder, now).len() > (blocks - floor - 1) * BLOCK);
    }

    #[test]
    fn more_links_than_blocks_keep_the_newest() {
        let blocks = 8;
        let mut flight_recorder = FlightRecorder::new(blocks * BLOCK * RECORD_BYTES);
        for at in 0..1000 {
            flight_recorder.record(at, link(0, at as u32), Disposition::Passed, &[], 0);
        }
        let at: Vec<u64> = flight_recorder.recent(0).iter().map(|packet| packet.at_ns).collect();
        assert_eq!(at, (992..1000).collect::<Vec<_>>());
        // A link that lost its only block begins anew, and the oldest one goes for it, whatever came first.
        flight_recorder.record(1000, link(0, 3), Disposition::Passed, &[], 0);
        flight_recorder.record(1001, link(0, 4), Disposition::Passed, &[], 0);
        assert_eq!(
            (times(&flight_recorder, link(0, 3)), times(&flight_recorder, link(0, 993))),
            (vec![1000], vec![])
        );
    }

    #[test]
    fn pieces_hold_every_packet_once() {
        let mut flight_recorder = FlightRecorder::new(1 << 20);
        for at in 0..5_000 {
            flight_recorder.record(at, link((at % 5) as u32, 9), Disposition::Passed, &[], 0);
        }
        let (mut all, mut next, mut pieces) = (Vec::new(), Some(0), 0);
        while let Some(from) = next {
            let mut piece = Vec::new();
            next = flight_recorder.copy(0, from, &mut piece);
            assert!(piece.len() < PIECE + BLOCK);
            pieces += 1;
            all.extend(piece.iter().map(|packet| packet.at_ns));
        }
        all.sort_unstable();
        assert_eq!((all, pieces), ((0..5_000).collect(), 5_000_usize.div_ceil(PIECE)));
    }

    #[test]
    fn without_memory_nothing_is_recorded() {
        let mut flight_recorder = FlightRecorder::new(4095);
        flight_recorder.record(1, link(0, 1), Disposition::Passed, &segment(1), 41);
        assert_eq!(flight_recorder.recent(0), []);
    }
}
