//! Reads the oracle's PLAN and LEDGER. A key that is missing, unknown or of another type panics.

use std::collections::BTreeMap;

use model::ledger::Fate;
use seams::gate::By;
use serde::Deserialize;
use wetdress_findings::Reading;
use wetdress_findings::facts::{self, Facts, NEVER, Seen, Sightings, Us};

/// The oracle knows one service, and does not name it.
pub(crate) const SERVICE: &str = "oracle";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) ledger: Vec<Row>,
    pub(crate) findings: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    start: Us,
    end: Us,
    stop: Option<Us>,
    theta: Us,
    slo: Option<Us>,
    t_effect: Option<Us>,
    t_heal: Option<Us>,
    streams: BTreeMap<String, Stream>,
    assets: BTreeMap<String, Asset>,
    phases: Vec<Phase>,
    changes: Vec<Change>,
    affected: Option<Affected>,
    observers: BTreeMap<String, Observer>,
    #[serde(default)]
    pub(crate) gates: Vec<Gate>,
    #[serde(default)]
    pub(crate) trials: Vec<Option<Us>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    period: Us,
    ack: String,
    gated: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    region: String,
    home: String,
    shard: String,
    contact: Option<Vec<(Us, Us)>>,
    path: Option<bool>,
    #[serde(default)]
    probe: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Phase {
    name: String,
    start: Us,
    end: Us,
    steady: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    t: Us,
    kind: String,
    #[serde(default)]
    same_episode: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Affected {
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    shards: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Observer {
    role: String,
    last: Option<BTreeMap<String, i64>>,
    end: Option<BTreeMap<String, i64>>,
    poll: Us,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gate {
    pub(crate) phase: String,
    pub(crate) limit: Us,
    pub(crate) q: f64,
    pub(crate) by: Option<String>,
    pub(crate) clock: Option<Us>,
}

impl Gate {
    pub(crate) fn group(&self) -> Option<By> {
        match self.by.as_deref() {
            None => None,
            Some("shard") => Some(By::Shard),
            Some("region") => Some(By::Region),
            Some(other) => panic!("unknown group `{other}`"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    asset: String,
    stream: String,
    boot: u16,
    seq: u64,
    t_gen: Us,
    t_ready: Us,
    sent: Vec<Us>,
    t_acked: Option<Us>,
    outcome: Option<String>,
    obs: BTreeMap<String, Vec<(Us, Option<i64>)>>,
    ack_pos: Option<i64>,
}

/// Names by index; ids are indices, given out in the order of the names.
pub(crate) struct Names {
    pub(crate) assets: Vec<String>,
    pub(crate) streams: Vec<String>,
}

fn place(names: &[String], name: &str) -> usize {
    names.iter().position(|n| n == name).unwrap_or_else(|| panic!("unknown name `{name}`"))
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

pub(crate) fn facts(plan: &Plan, ledger: &[Row]) -> (Facts, Names) {
    let names = Names {
        assets: plan.assets.keys().cloned().collect(),
        streams: plan.streams.keys().cloned().collect(),
    };
    let affected = plan.affected.iter();
    let regions = plan.assets.values().flat_map(|a| [a.region.clone(), a.home.clone()]);
    let regions = sorted(regions.chain(affected.clone().flat_map(|a| a.regions.clone())));
    let shards = plan.assets.values().map(|a| a.shard.clone());
    let shards = sorted(shards.chain(affected.flat_map(|a| a.shards.clone())));
    let column = facts::Column {
        first: 0,
        of: plan.assets.values().map(|a| place(&shards, &a.shard) as u32).collect(),
    };
    let mut rows: Vec<(Reading, &Row)> = ledger.iter().map(|r| (reading(r, &names), r)).collect();
    rows.sort_by_key(|(r, _)| (r.asset, r.stream, r.boot, r.seq));
    let facts = Facts {
        start: plan.start,
        end: plan.end,
        stop: plan.stop.unwrap_or(plan.end),
        theta: plan.theta,
        slo: plan.slo.unwrap_or(plan.theta),
        assets: plan.assets.values().enumerate().map(|(i, a)| asset(i, a, &regions)).collect(),
        streams: plan.streams.iter().enumerate().map(|(i, (name, s))| stream(i, name, s)).collect(),
        observers: plan
            .observers
            .iter()
            .map(|(name, o)| observer(name, o, &shards, &rows))
            .collect(),
        phases: plan
            .phases
            .iter()
            .map(|p| facts::Phase {
                name: p.name.clone(),
                start: p.start,
                end: p.end,
                steady: p.steady,
                // The oracle's plans say which phases are steady, and nothing of what a phase is meant as.
                baseline: plan.phases.iter().find(|p| p.steady).map(|first| &first.name)
                    == Some(&p.name),
            })
            .collect(),
        changes: plan.changes.iter().map(change).collect(),
        episodes: plan.t_effect.iter().map(|t| episode(plan, *t, &regions, &shards)).collect(),
        readings: rows.iter().map(|(r, _)| *r).collect(),
        regions,
        services: vec![facts::Service {
            name: SERVICE.to_owned(),
            columns: vec![Some(column); plan.streams.len()],
            shards,
        }],
        fleets: vec![facts::Fleet { name: "fleet".to_owned(), service: 0 }],
        ..Facts::default()
    };
    (facts, names)
}

fn reading(r: &Row, names: &Names) -> Reading {
    let fate = match r.outcome.as_deref() {
        Some("acked") => Fate::Acked,
        Some("refused") => Fate::Refused,
        Some("unknown") => Fate::Unknown,
        Some("dropped") => Fate::Dropped,
        None => Fate::Pending,
        Some(other) => panic!("unknown outcome `{other}`"),
    };
    Reading {
        asset: place(&names.assets, &r.asset) as u32,
        stream: place(&names.streams, &r.stream) as u16,
        attempts: r.sent.len() as u16,
        boot: r.boot,
        fate,
        seq: r.seq,
        t_gen: r.t_gen,
        t_ready: r.t_ready,
        sent_first: r.sent.first().copied().unwrap_or(NEVER),
        sent_last: r.sent.last().copied().unwrap_or(NEVER),
        t_acked: r.t_acked.unwrap_or(NEVER),
        ack_pos: r.ack_pos.unwrap_or(-1),
        acked_by: u16::MAX,
    }
}

fn asset(i: usize, a: &Asset, regions: &[String]) -> facts::Asset {
    facts::Asset {
        id: i as u32,
        fleet: 0,
        region: place(regions, &a.region),
        home: place(regions, &a.home),
        contact: a.contact.clone().unwrap_or_default(),
        probe: a.probe,
    }
}

fn stream(i: usize, name: &str, s: &Stream) -> facts::Stream {
    let required = match s.ack.as_str() {
        "required" => true,
        "best_effort" | "none" => false,
        other => panic!("unknown ack `{other}`"),
    };
    facts::Stream {
        name: name.to_owned(),
        fleet: 0,
        number: i as u16,
        period: s.period,
        load: model::load::Warp::default(),
        required,
        gated: s.gated,
    }
}

fn observer(
    name: &str,
    o: &Observer,
    shards: &[String],
    rows: &[(Reading, &Row)],
) -> facts::Observer {
    let role = match o.role.as_str() {
        "system_of_record" => facts::ObserverKind::SystemOfRecord,
        "replica" => facts::ObserverKind::Replica,
        "read_back" => facts::ObserverKind::ReadBack,
        "current_value" => facts::ObserverKind::CurrentValue,
        other => panic!("unknown role `{other}`"),
    };
    let positions = |by: &BTreeMap<String, i64>| {
        shards.iter().map(|s| by.get(s).copied().unwrap_or(-1)).collect()
    };
    let seen = |(i, (_, r)): (usize, &(Reading, &Row))| {
        let mine = r.obs.get(name).cloned().unwrap_or_default();
        mine.into_iter().map(move |(t, at)| (i as u32, Seen { t, at }))
    };
    facts::Observer {
        name: name.to_owned(),
        service: 0,
        takes: vec![true],
        kind: role,
        region: None,
        poll: o.poll,
        passed: o.last.as_ref().map(positions),
        head: o.end.as_ref().map(positions).unwrap_or_default(),
        corrupt: Vec::new(),
        blind: Vec::new(),
        sightings: Sightings::new(rows.len(), rows.iter().enumerate().flat_map(seen).collect()),
    }
}

fn change(c: &Change) -> facts::Change {
    let kind = match c.kind.as_str() {
        "fault" => facts::ChangeKind::Fault,
        "heal" => facts::ChangeKind::Heal,
        "phase" => facts::ChangeKind::Phase,
        other => panic!("unknown change `{other}`"),
    };
    facts::Change { t: c.t, kind, same_episode: c.same_episode }
}

fn episode(plan: &Plan, t_effect: Us, regions: &[String], shards: &[String]) -> facts::Episode {
    let affects = |a: &Affected| facts::Affects {
        regions: a.regions.iter().map(|r| (0, place(regions, r))).collect(),
        shards: a
            .shards
            .iter()
            .map(|s| facts::Shard { service: 0, shard: place(shards, s) })
            .collect(),
        ..Default::default()
    };
    facts::Episode {
        t_effect,
        t_heal: plan.t_heal,
        affected: plan.affected.as_ref().map(affects),
        windows: Vec::new(),
        cut_off: (0..)
            .zip(plan.assets.values())
            .filter(|(_, a)| a.path == Some(false))
            .map(|(i, _)| i)
            .collect(),
    }
}
