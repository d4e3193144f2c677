//! A small open loop, enough to hit links and to see acks: one reading per asset and 200 ms, a deadline of 1 s, another region after two
//! failures in a row.

use std::{collections::BTreeMap, future::poll_fn, sync::Arc, time::Duration};

use model::{CellId, Identity, Micros, Outcome, RegionId, Topology, envelope::Envelope};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Disconnect, Driver, Ground, Lane, Origin, Outgoing,
    Progress,
};
use tokio::time::timeout_at;

const EVERY: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_secs(1);

/// One ack: when it was sent and answered, and where it stands.
#[derive(Clone, Debug)]
pub struct Acked {
    pub asset: u32,
    pub sent: Micros,
    pub at: Micros,
    pub position: u64,
}

struct Asset {
    regions: Vec<RegionId>,
    cell: CellId,
    up: bool,
    /// When it began to connect.
    since: Micros,
    failures: usize,
    seq: u64,
}

pub struct Load {
    lane: Box<dyn Lane>,
    clock: Clock,
    assets: BTreeMap<u32, Asset>,
    under_way: BTreeMap<u32, (u32, Micros)>,
    ticket: u32,
    acked: Vec<Acked>,
}

impl Load {
    pub fn new(
        driver: &dyn Driver,
        ground: Arc<dyn Ground>,
        clock: Clock,
        topology: &Topology,
        assets: u32,
    ) -> Self {
        let cells: Vec<(&CellId, &RegionId)> = topology
            .cells
            .iter()
            .filter(|(_, cell)| cell.fleet.is_some())
            .map(|(name, cell)| (name, &cell.region))
            .collect();
        let all: Vec<RegionId> = topology.regions.keys().cloned().collect();
        let asset = |number: u32| {
            let (cell, home) = cells[number as usize % cells.len()];
            let mut regions = all.clone();
            let first = regions
                .iter()
                .position(|region| region == home)
                .expect("a cell's region is a region");
            regions.rotate_left(first);
            Asset {
                regions,
                cell: cell.clone(),
                up: false,
                since: Micros::ZERO,
                failures: 0,
                seq: 0,
            }
        };
        let assets = (0..assets).map(|number| (number, asset(number))).collect();
        Self {
            lane: driver.lane(ground, clock.clone()),
            clock,
            assets,
            under_way: BTreeMap::new(),
            ticket: 0,
            acked: vec![],
        }
    }

    pub async fn run(mut self, until: Micros) -> Vec<Acked> {
        let names: Vec<u32> = self.assets.keys().copied().collect();
        names.iter().for_each(|asset| self.connect(*asset));
        let mut next = self.clock.now();
        while next < until {
            next = next + EVERY;
            self.expire();
            self.submit();
            let tick = self.clock.instant(next);
            while let Ok(progress) = timeout_at(tick, progress(&mut *self.lane)).await {
                progress.into_iter().for_each(|progress| self.take(progress));
            }
        }
        self.acked
    }

    fn connect(&mut self, name: u32) {
        let asset = self.assets.get_mut(&name).expect("an asset of this load");
        asset.up = false;
        asset.since = self.clock.now();
        let region = asset.regions[asset.failures / 2 % asset.regions.len()].clone();
        let from = Origin::cell(&asset.cell, name);
        let (conn, assets, attempt) = (ConnId(name), name..name + 1, 0);
        self.lane.connect(&[ConnectRequest { conn, assets, from, region, attempt }]);
    }

    /// What was not answered in time failed, and so did a connect.
    fn expire(&mut self) {
        let now = self.clock.now();
        let (late, left) =
            self.under_way.iter().partition(|(_, (_, sent))| now.since(*sent) >= DEADLINE);
        self.under_way = left;
        let late: BTreeMap<u32, (u32, Micros)> = late;
        let mut failed: Vec<u32> = late.values().map(|(asset, _)| *asset).collect();
        late.keys().for_each(|ticket| self.lane.abandon(*ticket));
        failed.extend(
            self.assets
                .iter()
                .filter(|(_, asset)| !asset.up && now.since(asset.since) >= DEADLINE)
                .map(|(name, _)| *name),
        );
        failed.dedup();
        for name in failed {
            self.fail(name);
        }
    }

    fn fail(&mut self, name: u32) {
        self.assets.get_mut(&name).expect("an asset of this load").failures += 1;
        self.lane.disconnect(ConnId(name), Disconnect::Silent);
        self.connect(name);
    }

    fn submit(&mut self) {
        let now = self.clock.now();
        let (mut arena, mut readings) = (vec![], vec![]);
        for (name, asset) in self.assets.iter_mut().filter(|(_, asset)| asset.up) {
            let identity = Identity { asset: *name, stream: 0, boot: 1, seq: asset.seq };
            asset.seq += 1;
            self.ticket += 1;
            let start = arena.len();
            Envelope {
                run: 1,
                identity,
                attempt: 1,
                stored: false,
                generated: now,
                device_time: now,
            }
            .write(8, &mut arena);
            let (start, length) = (start as u32, (arena.len() - start) as u32);
            let (ticket, conn) = (self.ticket, ConnId(*name));
            readings.push(Outgoing { ticket, conn, identity, attempt: 1, start, length });
            self.under_way.insert(self.ticket, (*name, now));
        }
        let mut refused = vec![];
        self.lane.submit(Batch { readings: &readings, arena: &arena.into() }, &mut refused);
        assert!(refused.is_empty());
    }

    fn take(&mut self, progress: Progress) {
        match progress {
            Progress::Up { conn, .. } => {
                self.assets.get_mut(&conn.0).expect("an asset of this load").up = true
            }
            Progress::Down { conn, .. } => {
                let asset = self.assets.get_mut(&conn.0).expect("an asset of this load");
                asset.up = false;
            }
            Progress::Sent { .. } => {}
            Progress::Done { ticket, outcome, at, position, .. } => {
                let Some((name, sent)) = self.under_way.remove(&ticket) else { return };
                if let (Outcome::Acked, Some(position)) = (outcome, position) {
                    self.assets.get_mut(&name).expect("an asset of this load").failures = 0;
                    self.acked.push(Acked { asset: name, sent, at, position });
                }
            }
        }
    }
}

async fn progress(lane: &mut dyn Lane) -> Vec<Progress> {
    let mut out = vec![];
    poll_fn(|cx| lane.poll(cx, &mut out)).await;
    out
}
