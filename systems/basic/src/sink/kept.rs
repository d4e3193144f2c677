//! The readings, in order of arrival, as many as may be kept.
//!
//! A position is the microsecond of the machine's monotonic clock at which a reading was stored, and always more than the one before. So
//! the positions of nodes that know nothing of each other can be compared, and a node without a new reading can still say up to which
//! position it has shown everything.

use std::collections::VecDeque;

use model::envelope::Envelope;

use crate::reading::Reading;

/// Readings after a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) readings: Vec<Reading>,
    /// Everything that is kept up to and including this position has been shown, and nothing will be added there.
    pub(super) passed: u64,
}

/// Blocks, so that growing moves nothing: a moment of copying would be a stall of the server.
#[derive(Debug)]
pub(super) struct Kept {
    blocks: VecDeque<Vec<Reading>>,
    most: usize,
    count: usize,
    /// The newest position that was given out or promised to be passed.
    last: u64,
    /// The newest position of a reading that is no longer kept; 0 if there is none.
    forgotten: u64,
    forgotten_count: u64,
}

const BLOCK: usize = 4096;

impl Kept {
    /// Keeps `most` readings, or somewhat less: blocks are forgotten whole.
    pub(super) fn new(most: usize) -> Self {
        let blocks = VecDeque::new();
        Self { blocks, most, count: 0, last: 0, forgotten: 0, forgotten_count: 0 }
    }

    /// Stores a reading that came at this microsecond, and says where.
    pub(super) fn add(&mut self, envelope: &Envelope, now_us: u64) -> u64 {
        let position = now_us.max(self.last + 1);
        self.last = position;
        let Envelope { run, identity, attempt, .. } = *envelope;
        if self.blocks.back().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push_back(Vec::with_capacity(BLOCK));
        }
        let block = self.blocks.back_mut().expect("there is one now");
        block.push(Reading { position, run, identity, attempt });
        self.count += 1;
        while self.count > self.most {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.count -= oldest.len();
            self.forgotten_count += oldest.len() as u64;
            self.forgotten = oldest.last().map_or(self.forgotten, |reading| reading.position);
        }
        position
    }

    /// Up to `limit` readings after a position, oldest first.
    pub(super) fn after(&mut self, position: u64, limit: usize, now_us: u64) -> Page {
        let block = self.blocks.partition_point(|block| {
            block.last().is_some_and(|reading| reading.position <= position)
        });
        let inside = self
            .blocks
            .get(block)
            .map_or(0, |block| block.partition_point(|reading| reading.position <= position));
        let rest = self.blocks.range(block.min(self.blocks.len())..).flatten().skip(inside);
        let readings: Vec<Reading> = rest.take(limit).copied().collect();
        let newest = self.blocks.back().and_then(|block| block.last());
        let cut = readings.last().map(|reading| reading.position).unwrap_or(position);
        let whole = newest.is_none_or(|newest| newest.position <= cut);
        if whole {
            self.last = self.last.max(now_us);
        }
        Page { readings, passed: if whole { self.last } else { cut } }
    }

    pub(super) fn has_after(&self, position: u64) -> bool {
        let newest = self.blocks.back().and_then(|block| block.last());
        newest.is_some_and(|newest| newest.position > position)
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn forgotten_count(&self) -> u64 {
        self.forgotten_count
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use model::{Identity, Micros};

    use super::*;

    fn envelope(seq: u64) -> Envelope {
        let identity = Identity { asset: 1, stream: 0, boot: 1, seq };
        let (generated, device_time) = (Micros::ZERO, Micros::ZERO);
        Envelope { run: 7, identity, attempt: 1, stored: false, generated, device_time }
    }

    fn seqs(page: &Page) -> Vec<u64> {
        page.readings.iter().map(|reading| reading.identity.seq).collect()
    }

    #[test]
    fn positions_grow_with_the_clock_and_also_without_it() {
        let mut kept = Kept::new(10);
        let positions = [100, 100, 90, 200].map(|now| kept.add(&envelope(0), now));
        assert_eq!(positions, [100, 101, 102, 200]);
    }

    #[test]
    fn pages_are_read_to_the_end_and_nothing_is_added_where_they_have_passed() {
        let mut kept = Kept::new(100_000);
        let count = 2 * BLOCK as u64 + 10;
        for seq in 0..count {
            kept.add(&envelope(seq), 5);
        }
        let (mut after, mut seen) = (0, vec![]);
        while kept.has_after(after) {
            let page = kept.after(after, 1000, 6);
            seen.extend(seqs(&page));
            after = page.passed;
        }
        assert_eq!(seen, (0..count).collect::<Vec<_>>());
        let empty = kept.after(after, 1000, 50_000);
        assert_eq!(empty, Page { readings: vec![], passed: 50_000 });
        assert_eq!(kept.add(&envelope(0), 50_000), 50_001, "50 000 was promised to be passed");
    }

    #[test]
    fn the_oldest_are_forgotten_and_that_is_known() {
        let mut kept = Kept::new(BLOCK + 5);
        for seq in 1..=2 * BLOCK as u64 {
            kept.add(&envelope(seq), seq);
        }
        assert_eq!((kept.forgotten(), kept.forgotten_count()), (BLOCK as u64, BLOCK as u64));
        assert_eq!(seqs(&kept.after(0, 1, 0)), [BLOCK as u64 + 1]);
        let mut none = Kept::new(0);
        none.add(&envelope(1), 9);
        assert_eq!((none.count(), none.forgotten(), none.has_after(0)), (0, 9, false));
    }
}
