//! Where a reading lies: under `wd.<run>.<place>.<asset>`, where the place is one of 64; a stream takes the places that fall to it, so that a sender need not know how many streams there are. Each attempt is a message of its own: a reading that was stored twice can be seen.

use model::{Identity, ShardId};

/// As many as there can be streams.
const PLACES: u32 = 64;

/// The streams of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    pub(crate) run: u64,
    /// From 1 to 64.
    pub(crate) count: u32,
}

impl Streams {
    pub(crate) fn all(self) -> impl Iterator<Item = String> {
        (0..self.count).map(name)
    }

    pub(crate) fn shard_of(self, asset: u32) -> ShardId {
        ShardId::from(name(asset % PLACES % self.count))
    }

    /// What each stream takes.
    pub(crate) fn subjects(self) -> impl Iterator<Item = (String, Vec<String>)> {
        (0..self.count).map(move |stream| {
            let places = (0..PLACES).filter(|place| place % self.count == stream);
            let subjects = places.map(|place| format!("wd.{:016x}.{place}.>", self.run));
            (name(stream), subjects.collect())
        })
    }
}

/// Where the messages of a reading go.
pub(crate) fn subject_of(run: u64, identity: &Identity) -> String {
    let asset = identity.asset;
    format!("wd.{run:016x}.{}.{asset}", asset % PLACES)
}

fn name(number: u32) -> String {
    format!("s{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_goes_to_the_stream_that_its_shard_names() {
        for count in [1, 3, 64] {
            let streams = Streams { run: 5, count };
            for asset in [0, 7, 63, 64, 1_000_001] {
                let subject = subject_of(5, &Identity { asset, stream: 0, boot: 1, seq: 2 });
                let takes = |(_, subjects): &(String, Vec<String>)| {
                    subjects.iter().any(|own| subject.starts_with(own.trim_end_matches('>')))
                };
                let takers: Vec<_> =
                    streams.subjects().filter(takes).map(|(name, _)| name).collect();
                assert_eq!(takers, [streams.shard_of(asset).as_str()], "{asset} of {count}");
            }
        }
    }
}
