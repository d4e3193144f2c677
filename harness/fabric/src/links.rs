//! Every link that was ever used or ruled, found by its two ports without hashing. Port numbers are dense, so a row per source and an
//! entry per destination cost little.

use crate::counters::Epoch;
use crate::link_state::LinkState;
use crate::policy::Link;

const NONE: u32 = u32::MAX;

pub(crate) struct Links {
    pub(crate) states: Vec<LinkState>,
    seed: u64,
    by_source: Vec<Vec<u32>>,
}

impl Links {
    pub(crate) fn new(seed: u64) -> Self {
        Self { states: Vec::new(), seed, by_source: Vec::new() }
    }

    /// Its place in `states`; a new one where there is none yet.
    pub(crate) fn index(&mut self, link: Link, epoch: Epoch) -> usize {
        let (from, to) = (link.from.0 as usize, link.to.0 as usize);
        if self.by_source.len() <= from {
            self.by_source.resize(from + 1, Vec::new());
        }
        let row = &mut self.by_source[from];
        if row.len() <= to {
            row.resize(to + 1, NONE);
        }
        if row[to] == NONE {
            row[to] = self.states.len() as u32;
            self.states.push(LinkState::new(link, self.seed, epoch));
        }
        row[to] as usize
    }
}
