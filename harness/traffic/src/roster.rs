//! Who the assets are and where their readings lie: the contents of `assets.jsonl` and `shards.jsonl`.

use std::collections::BTreeMap;

use model::{AssetRow, Plan, ServiceId, ShardId, ShardRow, plan::Fleet};

/// One row per asset of the plan, in order of ids.
pub fn roster(plan: &Plan) -> Vec<AssetRow> {
    let mut rows = Vec::new();
    for (name, fleet) in &plan.fleets {
        for asset in fleet.first..fleet.first + fleet.assets {
            let Some((home, _)) = fleet.home_of(asset) else { continue };
            let Some(cell) = fleet.cells.get(home) else { continue };
            rows.push(AssetRow {
                asset,
                name: format!("{name}-{:05}", asset - fleet.first),
                fleet: name.clone(),
                home: home.clone(),
                cell: cell.clone(),
                probe: fleet.probe,
            });
        }
    }
    rows.sort_by_key(|row| row.asset);
    rows
}

/// The shards of every fleet in every service that its readings reach. `shard_of` asks a service for those of an asset's stream.
pub fn shards(plan: &Plan, shard_of: impl Fn(&ServiceId, u32, u16) -> ShardId) -> Vec<ShardRow> {
    let mut rows = Vec::new();
    for (name, fleet) in &plan.fleets {
        for service in plan.services_of(name) {
            for (shards, streams) in
                columns(fleet, |asset, stream| shard_of(service, asset, stream))
            {
                let numbers: BTreeMap<&ShardId, u32> = {
                    let mut names: Vec<&ShardId> = shards.iter().collect();
                    names.sort_unstable();
                    names.dedup();
                    names.into_iter().zip(0..).collect()
                };
                rows.push(ShardRow {
                    service: service.clone(),
                    fleet: name.clone(),
                    streams,
                    of: shards.iter().map(|shard| numbers[shard]).collect(),
                    shards: numbers.into_keys().cloned().collect(),
                });
            }
        }
    }
    rows
}

/// The shard of each asset, with the streams for which it is that one: most services go by the asset, and have one such column.
fn columns(fleet: &Fleet, shard_of: impl Fn(u32, u16) -> ShardId) -> Vec<(Vec<ShardId>, Vec<u16>)> {
    let mut columns: Vec<(Vec<ShardId>, Vec<u16>)> = Vec::new();
    for (stream, _) in (0..).zip(&fleet.streams) {
        let assets = fleet.first..fleet.first + fleet.assets;
        let shards: Vec<ShardId> = assets.map(|asset| shard_of(asset, stream)).collect();
        match columns.iter_mut().find(|(known, _)| *known == shards) {
            Some((_, streams)) => streams.push(stream),
            None => columns.push((shards, vec![stream])),
        }
    }
    columns
}
