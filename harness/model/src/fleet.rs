//! How the assets of a fleet are told apart: by home, by connection, by sender.

use std::ops::Range;

use crate::{
    End, RegionId,
    plan::{Fleet, Stream},
};

impl Fleet {
    /// Home region of an asset of this fleet and its number within the cell; None for an id of another fleet.
    pub fn home_of(&self, asset: u32) -> Option<(&RegionId, u32)> {
        let mut left = asset.checked_sub(self.first)?;
        for (region, count) in &self.home {
            match left.checked_sub(*count) {
                None => return Some((region, left)),
                Some(rest) => left = rest,
            }
        }
        None
    }

    /// The connections of the fleet in order: the number of a home in `home`, and the ids of the assets that the connection carries.
    pub fn connections(&self) -> impl Iterator<Item = (u16, Range<u32>)> + '_ {
        let most = self.connection.shared_by.max(1);
        let mut first = self.first;
        (0u16..).zip(self.home.values()).flat_map(move |(home, count)| {
            let ids = first..first + count;
            first = ids.end;
            ids.clone()
                .step_by(most as usize)
                .map(move |start| (home, start..ids.end.min(start.saturating_add(most))))
        })
    }

    /// How many connections carry so many assets of one home.
    pub fn connections_of(&self, assets: u32) -> u32 {
        assets.div_ceil(self.connection.shared_by.max(1))
    }

    /// The numbers of the connections that the sender `number` of `senders` carries: as many as its neighbours have or one more. Empty
    /// where there are fewer connections than senders.
    pub fn connections_of_sender(&self, number: u32, senders: u32) -> Range<usize> {
        let all: u64 =
            self.home.values().map(|assets| u64::from(self.connections_of(*assets))).sum();
        let first = |sender: u32| (all * u64::from(sender) / u64::from(senders.max(1))) as usize;
        first(number)..first(number + 1)
    }

    /// The ids of the assets that the sender `number` of `senders` carries: those of its connections.
    pub fn share(&self, number: u32, senders: u32) -> Range<u32> {
        let Range { start, end } = self.connections_of_sender(number, senders);
        let asset = |connection: usize| {
            let past = self.first + self.assets;
            self.connections().nth(connection).map_or(past, |(_, assets)| assets.start)
        };
        asset(start)..asset(end)
    }

    /// Readings per second of one asset at the nominal rate, of all its streams.
    pub fn nominal_per_s(&self) -> f64 {
        self.streams.iter().map(Stream::nominal_per_s).sum()
    }

    pub fn cell_of(&self, asset: u32) -> Option<(End, u32)> {
        let (region, host) = self.home_of(asset)?;
        Some((End::Cell(self.cells.get(region)?.clone()), host))
    }
}
