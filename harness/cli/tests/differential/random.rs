//! Draws by seed.

use serde_json::Value;

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, any seed is good.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform over both ends and what lies between them.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = (all.len() as u64).checked_sub(1)?;
        all.get(self.between(0, last) as usize)
    }

    /// One of these words.
    pub(crate) fn word(&mut self, all: &[&str]) -> Value {
        self.of(all).map_or(Value::Null, |word| (*word).into())
    }

    /// All of them, in another order.
    pub(crate) fn shuffled<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut left = all.to_vec();
        let mut mixed = Vec::with_capacity(left.len());
        while let Some(last) = (left.len() as u64).checked_sub(1) {
            mixed.push(left.swap_remove(self.between(0, last) as usize));
        }
        mixed
    }

    /// Some of them, at least so many, in another order.
    pub(crate) fn some<T: Clone>(&mut self, all: &[T], least: usize) -> Vec<T> {
        let count = self.between(least.min(all.len()) as u64, all.len() as u64);
        let mut mixed = self.shuffled(all);
        mixed.truncate(count as usize);
        mixed
    }
}
