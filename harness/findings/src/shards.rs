//! Which shard a reading lies in, service by service. Shards belong to their service: `s0` of two services are two shards, and the
//! positions in them cannot be compared.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::facts::{Asset, Facts, Observer, Shard};
use crate::outage::{Out, Series, asset_outages};
use crate::reading::Reading;

impl Facts {
    /// The shard of an asset's stream in a service; `None` where its readings do not get there.
    #[must_use]
    pub fn shard_in(&self, service: usize, asset: usize, stream: usize) -> Option<Shard> {
        let named = self.services.get(service)?;
        let column = named.columns.get(stream)?.as_ref()?;
        let place = self.assets[asset].id.checked_sub(column.first)?;
        let shard = *column.of.get(place as usize)? as usize;
        (shard < named.shards.len()).then_some(Shard { service, shard })
    }

    /// The service that acks the readings of an asset.
    #[must_use]
    pub fn sends_to(&self, asset: &Asset) -> usize {
        self.fleets[asset.fleet].service
    }

    /// The shard of an asset's stream in the service that acks its readings.
    #[must_use]
    pub fn shard_of(&self, asset: usize, stream: usize) -> Option<Shard> {
        self.shard_in(self.sends_to(&self.assets[asset]), asset, stream)
    }

    /// `service/shard`, as scenarios write it.
    #[must_use]
    pub fn shard_name(&self, shard: Shard) -> String {
        let service = &self.services[shard.service];
        format!("{}/{}", service.name, service.shards[shard.shard])
    }

    /// Whether the reading gets to where the observer looks: only then is it missing where it is not seen.
    #[must_use]
    pub fn takes(&self, o: &Observer, r: &Reading) -> bool {
        o.takes[self.assets[r.asset as usize].fleet]
    }

    /// Numbers of the streams of each fleet.
    pub(crate) fn streams_by_fleet(&self) -> Vec<Vec<usize>> {
        let mut streams = vec![Vec::new(); self.fleets.len()];
        for (number, stream) in self.streams.iter().enumerate() {
            streams[stream.fleet].push(number);
        }
        streams
    }

    /// Every shard that acks readings of some asset.
    pub(crate) fn acking_shards(&self) -> Vec<Shard> {
        let mut found = Vec::new();
        for (service, named) in self.services.iter().enumerate() {
            let mut acks = vec![false; named.shards.len()];
            let mine = self.streams.iter().zip(&named.columns);
            let mine = mine.filter(|(stream, _)| self.fleets[stream.fleet].service == service);
            for shard in mine.filter_map(|(_, column)| column.as_ref()).flat_map(|c| c.of.iter()) {
                acks.get_mut(*shard as usize).into_iter().for_each(|acks| *acks = true);
            }
            let acking = acks.iter().enumerate().filter(|(_, acks)| **acks);
            found.extend(acking.map(|(shard, _)| Shard { service, shard }));
        }
        found
    }
}

/// The judged series of each shard that acks readings, those of probes among them.
pub(crate) fn series_by_shard<'s, 'a>(
    facts: &Facts,
    series: &'s [Series<'a>],
) -> BTreeMap<Shard, Vec<&'s Series<'a>>> {
    let mut by: BTreeMap<Shard, Vec<&Series<'_>>> =
        facts.acking_shards().into_iter().map(|shard| (shard, Vec::new())).collect();
    for s in series {
        if let Some(mine) = facts.shard_of(s.asset, s.stream).and_then(|shard| by.get_mut(&shard)) {
            mine.push(s);
        }
    }
    by
}

/// The assets of a shard, and their outages.
#[derive(Debug)]
pub(crate) struct ShardOutages<'a> {
    /// Indices of those that have a stream in it, without probes.
    pub(crate) assets: Vec<usize>,
    /// By asset: outages of the streams that lie in the shard.
    pub(crate) out: Cow<'a, [Vec<Out>]>,
}

/// Outages shard by shard, under their full names. An asset whose streams lie in several shards is in each of them, and out there only
/// while a stream of it in that shard is: its other shards did not fail it.
pub(crate) fn outages_by_shard<'a>(
    facts: &Facts,
    series: &[Series<'_>],
    out: &'a [Vec<Out>],
) -> BTreeMap<String, ShardOutages<'a>> {
    let streams = facts.streams_by_fleet();
    // Assets of each shard, and whether each of them has all of its streams there.
    let mut by: BTreeMap<Shard, (Vec<usize>, bool)> = BTreeMap::new();
    for asset in facts.fleet() {
        let mine = &streams[facts.assets[asset].fleet];
        let shards = || mine.iter().filter_map(|stream| facts.shard_of(asset, *stream));
        let Some(first) = shards().next() else { continue };
        let whole = shards().all(|shard| shard == first);
        for shard in shards().take(if whole { 1 } else { usize::MAX }) {
            let (assets, all_whole) = by.entry(shard).or_insert((Vec::new(), true));
            *all_whole &= whole;
            if assets.last() != Some(&asset) {
                assets.push(asset);
            }
        }
    }
    let outages = |(shard, (assets, whole)): (Shard, (Vec<usize>, bool))| {
        let lies_here = |s: &&Series<'_>| facts.shard_of(s.asset, s.stream) == Some(shard);
        let out = if whole {
            Cow::Borrowed(out)
        } else {
            Cow::Owned(asset_outages(facts, series.iter().filter(lies_here)))
        };
        (facts.shard_name(shard), ShardOutages { assets, out })
    };
    by.into_iter().map(outages).collect()
}
