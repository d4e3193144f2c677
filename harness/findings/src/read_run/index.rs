//! Places in the lists of [`Facts`](crate::facts::Facts). Streams are numbered within their fleet and shards are named within their
//! service, so a number or a name alone is never looked up.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use model::{FleetId, ServiceId, ShardId, ShardRow};

use super::{Recorded, fleets_in_order};
use crate::facts::{Column, Fleet, Service, Shard};

pub(super) struct Index {
    pub(super) regions: Vec<String>,
    pub(super) services: Vec<Service>,
    pub(super) fleets: Vec<Fleet>,
    /// Asset ids, ascending.
    assets: Vec<u32>,
    /// By the ids of their assets.
    blocks: Vec<Block>,
}

/// What the identities of one fleet mean.
struct Block {
    fleet: FleetId,
    assets: Range<u32>,
    /// Places of its streams.
    streams: Range<usize>,
}

impl Index {
    pub(super) fn new(recorded: &Recorded<'_>) -> Self {
        let plan = recorded.plan;
        let mut next = 0;
        let mut blocks = Vec::new();
        for (name, fleet) in fleets_in_order(plan) {
            let streams = next..next + fleet.streams.len();
            next = streams.end;
            let assets = fleet.first..fleet.first + fleet.assets;
            blocks.push(Block { fleet: name.clone(), assets, streams });
        }
        let regions = plan.topology.regions.keys().map(ToString::to_string);
        let homes = recorded.known_assets().map(|a| a.home.to_string());
        let mut assets: Vec<u32> = recorded.known_assets().map(|a| a.asset).collect();
        assets.sort_unstable();
        let services = services(recorded, &blocks, next);
        let fleet = |(name, fleet): (&FleetId, &model::plan::Fleet)| Fleet {
            name: name.to_string(),
            service: place_of(&services, &fleet.service)
                .expect("the services of the fleets are among them"),
        };
        Self {
            regions: sorted(regions.chain(homes)),
            fleets: plan.fleets.iter().map(fleet).collect(),
            services,
            assets,
            blocks,
        }
    }

    pub(super) fn asset(&self, id: u32) -> Option<u32> {
        self.assets.binary_search(&id).ok().and_then(|i| u32::try_from(i).ok())
    }

    /// The place of a stream by its number in the fleet of the asset.
    pub(super) fn stream(&self, asset: u32, number: u16) -> Option<u16> {
        let block = self.blocks.iter().find(|block| block.assets.contains(&asset))?;
        u16::try_from(block.streams.clone().nth(number.into())?).ok()
    }

    pub(super) fn fleet(&self, name: &FleetId) -> Option<usize> {
        self.fleets.binary_search_by(|fleet| fleet.name.as_str().cmp(name.as_str())).ok()
    }

    pub(super) fn service(&self, name: &ServiceId) -> Option<usize> {
        place_of(&self.services, name)
    }

    pub(super) fn shard(&self, service: &ServiceId, shard: &ShardId) -> Option<Shard> {
        let service = self.service(service)?;
        let shard = place(&self.services[service].shards, shard.as_str())?;
        Some(Shard { service, shard })
    }
}

pub(super) fn place(names: &[String], name: &str) -> Option<usize> {
    names.binary_search_by(|n| n.as_str().cmp(name)).ok()
}

fn place_of(services: &[Service], name: &ServiceId) -> Option<usize> {
    services.binary_search_by(|service| service.name.as_str().cmp(name.as_str())).ok()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Every service of the plan, and every one that a fleet or an observer of it names.
fn services(recorded: &Recorded<'_>, blocks: &[Block], streams: usize) -> Vec<Service> {
    let plan = recorded.plan;
    let named = plan.services.keys();
    let named = named.chain(plan.fleets.values().map(|fleet| &fleet.service));
    let named: BTreeSet<&ServiceId> =
        named.chain(plan.observers.values().map(|observer| &observer.service)).collect();
    let service = |name: &ServiceId| {
        let mine = || recorded.shards.iter().filter(|row| row.service == *name);
        let shards = sorted(mine().flat_map(|row| &row.shards).map(ToString::to_string));
        let mut columns = vec![None; streams];
        for row in mine() {
            let Some(block) = blocks.iter().find(|block| block.fleet == row.fleet) else {
                continue;
            };
            let column = Column { first: block.assets.start, of: renumbered(row, &shards) };
            for stream in row.streams.iter().filter_map(|n| block.streams.clone().nth((*n).into()))
            {
                columns[stream] = Some(column.clone());
            }
        }
        Service { name: name.to_string(), shards, columns }
    };
    named.into_iter().map(service).collect()
}

/// A row counts the shards that it names; a service has those of all its rows.
fn renumbered(row: &ShardRow, shards: &[String]) -> Arc<[u32]> {
    let places: Vec<u32> = row
        .shards
        .iter()
        .map(|shard| {
            let place = place(shards, shard.as_str()).expect("every row's shards are among them");
            u32::try_from(place).expect("fewer than 2^32 shards")
        })
        .collect();
    // What the row does not name is nowhere: a place that no service has.
    row.of.iter().map(|shard| places.get(*shard as usize).copied().unwrap_or(u32::MAX)).collect()
}
