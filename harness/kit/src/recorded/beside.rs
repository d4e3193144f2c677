//! More services beside `store`, whose shards have the names of its shards and other positions.

use std::collections::BTreeMap;

use model::ledger::Fate;
use model::plan::{Fleet, Shows, Stream, read_back_of};
use model::schedule::Schedule;
use model::{
    Attempt, Event, HeldRole, Identity, Micros, RoleKind, Row, ServiceId, ShardId, Sighting,
};

use super::{
    Drill, SECOND, SHARDS, STOP, asset_row, by_home, fleet, hits, node, observer, shard_row,
};
use crate::plan::kind;

/// The second fleet; its name comes before that of the first one, its asset ids after.
const TELLERS: &str = "tellers";

impl Drill {
    /// `sink` takes what `store` passes on, a second later. It places assets by the last bit of their number, so that names agree and
    /// mean other assets, and its positions begin where those of `store` have long ended.
    pub fn add_sink(&mut self) {
        let by_number = |asset| asset % 2;
        self.plan.services.insert("sink".into(), kind("reference"));
        self.plan.observers.insert("sink".into(), observer("sink", "terminals", Shows::Log, true));
        self.shards.push(shard_row("sink", "terminals", &[0], by_number));
        let log = &self.sightings["log"];
        let mut next = [100_000u64; 2];
        let mut passed_on = Vec::new();
        for seen in log {
            let position = &mut next[by_number(seen.identity.asset) as usize];
            let at = Micros(seen.at.0 + SECOND);
            passed_on.push(Sighting { at, position: Some(*position), ..*seen });
            *position += 1;
        }
        self.read_by("sink", passed_on, next);
    }

    /// `ledger` takes the readings of a fleet of its own: twelve tellers with two streams. What they do last stays in the shard of
    /// their home, their balance in the other one. Its leaders have higher terms than those of `store`.
    pub fn add_ledger(&mut self) {
        self.plan.services.insert("ledger".into(), kind("reference"));
        for (region, host) in [("west", 3), ("east", 4)] {
            let name = format!("ledger-{region}").into();
            self.plan.topology.nodes.insert(name, node("ledger", region, host));
        }
        let mut tellers = Fleet { service: "ledger".into(), first: 12, ..fleet() };
        tellers.streams.push(Stream { name: "balance".into(), ..tellers.streams[0].clone() });
        self.plan.fleets.insert(TELLERS.into(), tellers);
        self.plan.observers.insert("ledger".into(), observer("ledger", TELLERS, Shows::Log, true));
        self.assets.extend((12..24).map(|asset| asset_row(TELLERS, asset)));
        self.shards.push(shard_row("ledger", TELLERS, &[0], by_home));
        self.shards.push(shard_row("ledger", TELLERS, &[1], |asset| 1 - by_home(asset)));
        for (at, node, term) in [(-2, "ledger-west", 7), (40, "ledger-east", 8)] {
            let event = Event::RoleChanged {
                service: "ledger".into(),
                shard: "s-west".into(),
                node: node.into(),
                role: HeldRole { name: "leader".into(), kind: RoleKind::Leads },
                term,
            };
            self.tell(at * SECOND, event);
        }
        let schedule = Schedule::new(&self.plan);
        let mut seen = Vec::new();
        let mut next = [500u64; 2];
        for (asset, stream, series) in schedule.all().filter(|(asset, ..)| *asset >= 12) {
            let shard = if stream == 0 { by_home(asset) } else { 1 - by_home(asset) };
            for (seq, at) in series.times() {
                let identity = Identity { asset, stream, boot: 1, seq };
                let position = &mut next[shard as usize];
                let acked = Micros(at.0 + 6_000);
                self.rows.push(Row {
                    identity,
                    ready: at,
                    attempts: [Attempt { sent: Micros(at.0 + 100) }].into(),
                    fate: Fate::Acked,
                    acked: Some(acked),
                    position: Some(*position),
                    by: None,
                    stored: false,
                });
                seen.push(Sighting {
                    identity,
                    at: Micros(acked.0 + 3_000),
                    position: Some(*position),
                    intact: true,
                });
                *position += 1;
            }
        }
        self.read_by("ledger", seen, next);
    }

    /// What an observer saw, and read back; `next` are the positions that each shard has not given out yet.
    fn read_by(&mut self, name: &str, seen: Vec<Sighting>, next: [u64; 2]) {
        let ends: BTreeMap<_, _> =
            SHARDS.iter().zip(next).map(|(shard, next)| ((*shard).into(), next - 1)).collect();
        let back = seen.iter().map(|s| Sighting { at: Micros(STOP + 4 * SECOND), ..*s }).collect();
        for (observer, seen) in [(name.into(), seen), (read_back_of(&name.into()), back)] {
            let passed = Event::ObserverPassed {
                observer: observer.clone(),
                last: ends.clone(),
                end: ends.clone(),
            };
            self.tell(STOP + 4 * SECOND, passed);
            self.sightings.insert(observer, seen);
        }
    }

    /// What these observers said of how far they got goes through `spoil`: the positions of their last sightings by shard.
    pub fn passed(&mut self, names: &[&str], spoil: impl Fn(&mut BTreeMap<ShardId, u64>)) {
        for r in &mut self.events {
            match &mut r.event {
                Event::ObserverPassed { observer, last, .. }
                    if names.contains(&observer.as_str()) =>
                {
                    spoil(last);
                }
                _ => {}
            }
        }
    }

    /// The fault hits this service instead of the store.
    pub fn hit_instead(&mut self, service: &ServiceId) {
        for r in &mut self.events {
            if let Event::FaultAsked { affected, .. } = &mut r.event {
                *affected = hits(service.as_str());
            }
        }
    }
}
