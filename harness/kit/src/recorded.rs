//! A drill as a run folder would hold it: twelve assets in two regions, west loses power for ten seconds; built from the schedule,
//! with knobs for what goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use model::event::{Affected, Claim, Health, HitParts};
use model::ledger::Fate;
use model::plan::{
    Closing, Fleet, Gate, Observer, Opening, Phase, PhaseEnd, PhaseKind, Shows, Source, Window,
    read_back_of,
};
use model::schedule::Schedule;
use model::topology::{Cell, Node, Region};
use model::{
    AssetRow, Attempt, CellId, End, Event, HeldRole, Identity, KindSpec, LabEvent, Lever,
    LinkQuality, Micros, NodeId, ObserverId, Plan, Record, RoleKind, Row, ShardRow, Sighting, Slot,
    Topology, Track,
};
use serde_json::{Value, json};

use crate::plan::kind;

mod beside;

pub const SECOND: i64 = 1_000_000;
/// The fault is asked here, bites a little later, and ends ten seconds on.
pub const FAULT: i64 = 70 * SECOND;
pub const EFFECT: i64 = FAULT + 50_000;
pub const HEAL: i64 = 90 * SECOND;
/// West's shards answer again, by failover.
pub const BACK: i64 = 78 * SECOND;
/// Nothing is generated any more.
pub const STOP: i64 = 120 * SECOND;
pub const END: i64 = 125 * SECOND;

/// What a run left, and can be spoilt before it is judged.
#[derive(Clone, Debug)]
pub struct Drill {
    pub plan: Plan,
    pub events: Vec<Record>,
    pub assets: Vec<AssetRow>,
    pub shards: Vec<ShardRow>,
    pub rows: Vec<Row>,
    pub sightings: BTreeMap<ObserverId, Vec<Sighting>>,
}

impl Drill {
    /// Everything as it should be.
    pub fn clean() -> Self {
        let plan = plan();
        let schedule = Schedule::new(&plan);
        let all = schedule.all().flat_map(|(asset, stream, series)| {
            series.times().map(move |(seq, at)| (Identity { asset, stream, boot: 1, seq }, at.0))
        });
        let rows: Vec<Row> = all.map(|(identity, at)| row(identity, at)).collect();
        let mut drill = Self {
            events: events(),
            assets: (0..12).map(|asset| asset_row("terminals", asset)).collect(),
            shards: vec![shard_row("store", "terminals", &[0], by_home)],
            sightings: BTreeMap::new(),
            plan,
            rows,
        };
        drill.see_everything();
        drill
    }

    /// Positions follow the acks; the log is seen at once, the current value keeps what is newest, the read-back sees all at the end.
    fn see_everything(&mut self) {
        let mut acked: Vec<usize> = (0..self.rows.len()).collect();
        acked.sort_by_key(|i| self.rows[*i].acked);
        let (mut log, mut now, mut newest) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut next = [0u64; 2];
        for i in acked {
            let row = &mut self.rows[i];
            let position = &mut next[by_home(row.identity.asset) as usize];
            row.position = Some(*position);
            let seen = Sighting {
                identity: row.identity,
                at: Micros(row.acked.expect("all are acked").0 + 2_000),
                position: Some(*position),
                intact: true,
            };
            *position += 1;
            log.push(seen);
            let last = newest.entry(row.identity.asset).or_insert(0);
            if row.identity.seq >= *last {
                *last = row.identity.seq;
                now.push(Sighting { position: None, ..seen });
            }
        }
        let back = log.iter().map(|s| Sighting { at: Micros(STOP + 4 * SECOND), ..*s }).collect();
        let ends: BTreeMap<_, _> =
            SHARDS.iter().zip(next).map(|(shard, n)| ((*shard).into(), n - 1)).collect();
        for name in [ObserverId::from("log"), read_back_of(&"log".into())] {
            self.tell(
                STOP + 4 * SECOND,
                Event::ObserverPassed { observer: name, last: ends.clone(), end: ends.clone() },
            );
        }
        self.tell(END, Event::Quiesced { complete: true });
        self.tell(END, Event::LabClosed);
        self.sightings = BTreeMap::from([
            ("log".into(), log),
            ("now".into(), now),
            (read_back_of(&"log".into()), back),
        ]);
    }

    /// One more event, whatever came before it.
    pub fn tell(&mut self, at: i64, event: Event) {
        let number = self.events.len() as u64;
        self.events.push(Record { number, at: Micros(at), event });
    }

    /// What the harness says of itself goes through `spoil`.
    pub fn health(&mut self, spoil: impl Fn(&mut Health)) {
        let told = self.events.iter_mut().filter_map(|r| {
            if let Event::Health(health) = &mut r.event { Some(health) } else { None }
        });
        told.for_each(spoil);
    }

    pub fn gate(&mut self, name: &str, params: Value) {
        let spec = KindSpec { kind: name.to_owned(), params };
        self.plan.gates.push(Gate { name: name.to_owned(), spec, line: 1 });
    }

    /// What the log and its read-back have of one reading goes through `spoil`.
    pub fn seen(&mut self, names: &[&str], spoil: impl Fn(&mut Vec<Sighting>)) {
        for name in names {
            spoil(self.sightings.get_mut(*name).expect("the drill has this observer"));
        }
    }

    /// A region's access link is down in these seconds; what is generated meanwhile is recorded, and ready one by one, five a second.
    pub fn silence(&mut self, region: &str, spans: &[(u64, u64)]) {
        let slot =
            |s, up| Slot { from: Duration::from_secs(s), quality: LinkQuality::default(), up };
        let mut slots = vec![slot(0, true)];
        for (los, aos) in spans {
            slots.retain(|slot| slot.from < Duration::from_secs(*los));
            slots.extend([slot(*los, false), slot(*aos, true)]);
        }
        let (access, track, base) =
            (LinkQuality::default(), Track { slots }, [198, 19, 0, 0].into());
        let cell = Cell {
            region: region.into(),
            fleet: Some("terminals".into()),
            base,
            prefix: 28,
            hosts: 6,
            access,
            track,
        };
        self.plan.topology.cells.insert(format!("{region}/terminals").into(), cell);
        let mut turns = BTreeMap::new();
        for row in self.rows.iter_mut().filter(|row| (row.identity.asset < 6) == (region == "west"))
        {
            let Some((_, aos)) = spans
                .iter()
                .find(|(los, aos)| (*los..*aos).contains(&(row.ready.0 / SECOND).unsigned_abs()))
            else {
                continue;
            };
            let turn = turns.entry(row.identity.asset).or_insert(0);
            row.ready = Micros(aos.cast_signed() * SECOND + *turn * SECOND / 5);
            *turn += 1;
            let sent = row.ready.0.max(row.attempts.last().expect("it was sent").sent.0) + 100;
            (row.attempts, row.acked, row.stored) =
                ([Attempt { sent: Micros(sent) }].into(), Some(Micros(sent + 5_000)), true);
        }
    }
}

/// The names of both shards, wherever they are.
const SHARDS: [&str; 2] = ["s-east", "s-west"];

/// What the loss of west takes away from a service.
fn hits(service: &str) -> Affected {
    let west = HitParts { regions: ["west".into()].into(), shards: ["s-west".into()].into() };
    Affected([(service.into(), west)].into())
}

/// The first half of each dozen lives in the west.
fn home(asset: u32) -> &'static str {
    if asset % 12 < 6 { "west" } else { "east" }
}

/// Place in [`SHARDS`].
fn by_home(asset: u32) -> u32 {
    u32::from(home(asset) == "west")
}

fn asset_row(fleet: &str, asset: u32) -> AssetRow {
    AssetRow {
        asset,
        name: format!("t{asset}"),
        fleet: fleet.into(),
        home: home(asset).into(),
        cell: format!("{}/{fleet}", home(asset)).into(),
        probe: false,
    }
}

fn shard_row(service: &str, fleet: &str, streams: &[u16], of: fn(u32) -> u32) -> ShardRow {
    let first = if fleet == "terminals" { 0 } else { 12 };
    ShardRow {
        service: service.into(),
        fleet: fleet.into(),
        streams: streams.to_vec(),
        shards: SHARDS.map(Into::into).into(),
        of: (first..first + 12).map(of).collect(),
    }
}

/// West's readings wait out the failover, on attempt after attempt.
fn row(identity: Identity, at: i64) -> Row {
    let waits = identity.asset < 6 && (EFFECT - 2_000..BACK).contains(&at);
    let last = if waits { BACK + i64::from(identity.asset) * 1_000 } else { at + 100 };
    let attempts = if waits { vec![at + 100, last] } else { vec![last] };
    Row {
        identity,
        ready: Micros(at),
        attempts: attempts.into_iter().map(|sent| Attempt { sent: Micros(sent) }).collect(),
        fate: Fate::Acked,
        acked: Some(Micros(last + 5_000)),
        position: None,
        by: None,
        stored: false,
    }
}

/// Between the assets of west and a node.
pub fn west_to(node: &str) -> (CellId, NodeId) {
    ("west/terminals".into(), node.into())
}

fn events() -> Vec<Record> {
    let claim = || Claim::new(Lever::PowerLoss, End::Node("store-west".into()));
    let role = |node: &str, term| Event::RoleChanged {
        service: "store".into(),
        shard: "s-west".into(),
        node: node.into(),
        role: HeldRole { name: "leader".into(), kind: RoleKind::Leads },
        term,
    };
    let asked = Event::FaultAsked {
        window: "lose-west".into(),
        revision: 1,
        picked: vec![vec![End::Node("store-west".into())]],
        claims: [claim()].into(),
        affected: hits("store"),
        severed: [west_to("store-west")].into(),
    };
    let proven = Event::Proven {
        window: "lose-west".into(),
        claim: claim(),
        link: None,
        count: 7,
        first: Micros(EFFECT),
        established: 3,
    };
    let exit = |asked| {
        Event::Lab(LabEvent::ProcessExited {
            node: "store-west".into(),
            process: "store".into(),
            status: "signal 9".into(),
            asked,
        })
    };
    let list = vec![
        (-SECOND, role("store-west", 1)),
        (-SECOND, Event::Redundant { service: "store".into(), redundant: true }),
        (0, Event::Armed),
        (FAULT, asked),
        (EFFECT, exit(true)),
        (EFFECT + 1_000, proven),
        (EFFECT + SECOND, Event::Redundant { service: "store".into(), redundant: false }),
        (EFFECT + 4 * SECOND, role("store-east", 2)),
        (HEAL, Event::FaultClosed { window: "lose-west".into(), revision: 2 }),
        (HEAL + 3 * SECOND, Event::Redundant { service: "store".into(), redundant: true }),
        (STOP, Event::GenerationStopped),
        (STOP + SECOND, Event::Health(Health { schedule_lag_p99_us: 400, ..Health::default() })),
    ];
    list.into_iter()
        .zip(0..)
        .map(|((at, event), number)| Record { number, at: Micros(at), event })
        .collect()
}

fn plan() -> Plan {
    let phase = |name: &str, kind, from: i64, end: PhaseEnd, steady: bool| Phase {
        name: name.into(),
        kind,
        start: Duration::from_micros(from.unsigned_abs()),
        end,
        measure: true,
        steady,
    };
    let at = |t: i64| PhaseEnd::At(Duration::from_micros(t.unsigned_abs()));
    Plan {
        scenario: "lose-west".into(),
        source: Source { file: "lose-west.yaml".into(), ..Default::default() },
        lab: kind("local"),
        topology: Topology {
            regions: BTreeMap::from([
                ("west".into(), Region::default()),
                ("east".into(), Region::default()),
            ]),
            nodes: BTreeMap::from([
                ("store-west".into(), node("store", "west", 1)),
                ("store-east".into(), node("store", "east", 2)),
            ]),
            ..Topology::default()
        },
        services: BTreeMap::from([("store".into(), kind("reference"))]),
        observers: BTreeMap::from([
            ("log".into(), observer("store", "terminals", Shows::Log, true)),
            ("now".into(), observer("store", "terminals", Shows::CurrentValue, false)),
        ]),
        phases: vec![
            phase("baseline", PhaseKind::Baseline, 0, at(FAULT), true),
            phase("outage", PhaseKind::Fault, FAULT, at(HEAL), false),
            phase("recovery", PhaseKind::Recovery, HEAL, at(STOP), false),
            phase(
                "verify",
                PhaseKind::Verify,
                STOP,
                PhaseEnd::Quiesced { latest: Duration::from_secs(150) },
                false,
            ),
        ],
        windows: vec![Window {
            id: "lose-west".into(),
            fault: KindSpec {
                kind: "region-loss".into(),
                params: json!({"region": "west", "how": "power"}),
            },
            opening: Opening::At(Duration::from_micros(FAULT.unsigned_abs())),
            closing: Closing::At(Duration::from_micros(HEAL.unsigned_abs())),
            follow: false,
            deed: "losing".into(),
        }],
        ..crate::plan::of(fleet())
    }
}

fn node(service: &str, region: &str, host: u8) -> Node {
    Node {
        region: region.into(),
        zone: None,
        services: [service.into()].into(),
        address: [198, 18, 0, host].into(),
    }
}

fn observer(service: &str, fleet: &str, shows: Shows, of_record: bool) -> Observer {
    Observer {
        service: service.into(),
        observer: kind("reference"),
        region: "east".into(),
        cell: "east/observers".into(),
        shows,
        of_record,
        fleets: [fleet.into()].into(),
    }
}

fn fleet() -> Fleet {
    let streams = vec![crate::plan::stream("status", Duration::from_secs(1))];
    Fleet {
        service: "store".into(),
        driver: kind("reference"),
        // Given out in the order of the names; the drill's rows say who lives where.
        home: BTreeMap::from([("east".into(), 6), ("west".into(), 6)]),
        failover: BTreeMap::from([("west".into(), vec!["east".into()])]),
        cells: BTreeMap::new(),
        ..crate::plan::fleet(12, streams)
    }
}

impl Drill {
    /// As a run folder, read back.
    pub fn written(&self, runs: &std::path::Path) -> run::Loaded {
        let folder = run::Folder::create(runs, "drill", &self.plan, "scenario: lose-west\n")
            .expect("a folder");
        let schedule = std::sync::Arc::new(Schedule::new(&self.plan));
        folder.write_assets(&self.assets).expect("assets");
        folder.write_shards(&self.shards).expect("shards");
        let journal = folder.journal().expect("a journal");
        for r in &self.events {
            journal.append(r.at, r.event.clone()).expect("an event");
        }
        let mut files = folder.append_sender(0, schedule.clone()).expect("a sender's files");
        let ledger = &mut files.ledger;
        self.rows.iter().for_each(|row| ledger.push(row.clone()).expect("a row"));
        ledger.cut(Micros(STOP)).expect("a chunk");
        for (name, seen) in &self.sightings {
            let ink = folder.append_sightings(name, schedule.clone()).expect("sightings");
            seen.iter().for_each(|s| ink.saw(*s));
            ink.cut().expect("a chunk");
        }
        drop(files);
        folder.close().expect("a manifest");
        run::Loaded::open(folder.path()).expect("a whole folder")
    }
}
