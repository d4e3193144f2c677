//! Who the assets are: the content of `assets.jsonl`.

use model::{AssetRow, Plan, ServiceId, ShardId};

/// One row per asset of the plan, in order of ids. `shard_of` asks the service that owns the readings.
pub fn roll(plan: &Plan, shard_of: impl Fn(&ServiceId, u32) -> ShardId) -> Vec<AssetRow> {
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
                shard: shard_of(&fleet.service, asset),
                probe: fleet.probe,
            });
        }
    }
    rows.sort_by_key(|row| row.asset);
    rows
}
