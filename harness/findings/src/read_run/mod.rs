//! From the run folder to [`Facts`]. Everything is read through `run`; what is absent there (a killed run's end, a head that nobody
//! could read) becomes what proves the least.

mod heals;
mod index;
mod observers;
mod windows;

use std::collections::BTreeMap;

use model::plan::{Ack, PhaseEnd, read_back_of};
use model::{
    AssetRow, Event, FleetId, LabEvent, Micros, ObserverId, Plan, Record, Row, ShardRow, Sighting,
    load::Warp,
};

use self::index::{Index, place};
use crate::facts::{self, Facts, Happened, NEVER, Us};
use crate::findings::{Findings, find};
use crate::intervals::union;
use crate::judge::{JudgeError, Verdicts, judge};
use crate::reading::Reading;

/// What a run left behind.
#[derive(Debug)]
pub struct Recorded<'a> {
    pub plan: &'a Plan,
    pub events: &'a [Record],
    pub assets: &'a [AssetRow],
    pub shards: &'a [ShardRow],
    /// Every generated reading once, by identity; without an attempt where nothing is known.
    pub rows: &'a [Row],
    /// How far the schedule had come.
    pub until: Micros,
    /// By observer, what each read back under [`model::plan::read_back_of`] its name.
    pub sightings: BTreeMap<ObserverId, Vec<Sighting>>,
}

/// Why a run folder cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum FromRunError {
    #[error(transparent)]
    Run(#[from] run::RunError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
}

/// Reads a run folder, finds and judges.
///
/// # Errors
/// When a file of the folder is damaged, or the plan names a gate that this version does not know.
pub fn conclude(loaded: &run::Loaded) -> Result<(Findings, Verdicts), FromRunError> {
    let facts = facts(loaded)?;
    let found = find(&facts);
    let verdicts = judge(&facts, &found, &loaded.plan)?;
    Ok((found, verdicts))
}

/// Reads a run folder.
///
/// # Errors
/// When a file of the folder is damaged.
pub fn facts(loaded: &run::Loaded) -> Result<Facts, run::RunError> {
    let generated = loaded.readings()?;
    let names: Vec<ObserverId> =
        loaded.plan.observers.keys().flat_map(|name| [name.clone(), read_back_of(name)]).collect();
    let seen = |name: &ObserverId| Ok((name.clone(), loaded.sightings(name)?));
    let recorded = Recorded {
        plan: &loaded.plan,
        events: &loaded.events,
        assets: &loaded.assets,
        shards: &loaded.shards,
        rows: &generated.rows,
        until: generated.until,
        sightings: names.iter().map(seen).collect::<Result<_, run::RunError>>()?,
    };
    let mut facts = recorded.facts(&loaded.schedule);
    if !loaded.is_closed() {
        let unclosed = || "it ended before its record was closed".to_owned();
        facts.happened.broke_off.get_or_insert_with(unclosed);
    }
    Ok(facts)
}

impl Recorded<'_> {
    /// Everything in one place.
    #[must_use]
    pub fn facts(&self, schedule: &model::schedule::Schedule) -> Facts {
        let index = Index::new(self);
        let end = self.end();
        let timeline = windows::timeline(self, &index, end);
        let mut readings: Vec<Reading> =
            self.rows.iter().filter_map(|row| reading(row, schedule, &index)).collect();
        readings.sort_unstable_by_key(|r| (r.asset, r.stream, r.boot, r.seq));
        let theta = Micros::after(self.plan.theta).0;
        Facts {
            start: 0,
            end,
            stop: Micros::after(self.plan.stop()).0.min(end),
            theta,
            slo: theta,
            nodes: self.plan.topology.nodes.keys().map(ToString::to_string).collect(),
            assets: windows::assets(self, &index, end),
            streams: self.streams(&index),
            observers: observers::all(self, &index, &readings),
            phases: self.phases(end),
            changes: timeline.changes,
            episodes: timeline.episodes,
            happened: self.happened(timeline.windows, end),
            readings,
            regions: index.regions,
            services: index.services,
            fleets: index.fleets,
        }
    }

    /// Those whose fleet the plan has, and whose sender came to its end.
    fn known_assets(&self) -> impl Iterator<Item = &AssetRow> {
        let lost: Vec<_> =
            self.events.iter().filter_map(|r| r.event.lost_assets()).flatten().collect();
        let known = self.assets.iter().filter(|a| self.plan.fleets.contains_key(&a.fleet));
        known.filter(move |a| !lost.iter().any(|lost| lost.contains(&a.asset)))
    }

    /// The moment at which everything was decided; of a plan that does not wait for it, its end; of a run that broke off, the last
    /// moment of which anything is known.
    fn end(&self) -> Us {
        let quiesced =
            self.events.iter().find(|r| matches!(r.event, Event::Quiesced { .. })).map(|r| r.at.0);
        let planned = self.finished().then(|| Micros::after(self.plan.latest_end()).0);
        let last_ack = || self.rows.iter().filter_map(|r| r.acked).map(|t| t.0).max().unwrap_or(0);
        quiesced.or(planned).unwrap_or_else(|| self.until.0.max(last_ack()))
    }

    /// The timeline came to its end and the lab was closed in order.
    fn finished(&self) -> bool {
        self.events.iter().any(|r| r.event == Event::LabClosed)
    }

    /// In the order in which [`Index`] numbers them.
    fn streams(&self, index: &Index) -> Vec<facts::Stream> {
        let one = |fleet: usize, number: u16, load: &Warp, s: &model::plan::Stream| {
            let required = s.ack == Ack::Required;
            facts::Stream {
                name: s.name.to_string(),
                fleet,
                number,
                period: Micros::after(s.every).0,
                load: load.clone(),
                required,
                gated: required,
            }
        };
        let mut streams = Vec::new();
        for (name, fleet) in fleets_in_order(self.plan) {
            let at = index.fleet(name).expect("the index holds every fleet of the plan");
            let load = Warp::of(&fleet.load);
            streams.extend((0..).zip(&fleet.streams).map(|(number, s)| one(at, number, &load, s)));
        }
        streams
    }

    /// Phases that the run reached, cut to its end.
    fn phases(&self, end: Us) -> Vec<facts::Phase> {
        let baseline = self.plan.baseline().map(|phase| &phase.name);
        let one = |p: &model::plan::Phase| {
            let start = Micros::after(p.start).0;
            let planned = if let PhaseEnd::At(at) = p.end { Micros::after(at).0 } else { NEVER };
            (start < end).then(|| facts::Phase {
                name: p.name.to_string(),
                start,
                end: planned.min(end),
                steady: p.steady,
                baseline: baseline == Some(&p.name),
            })
        };
        self.plan.phases.iter().filter_map(one).collect()
    }

    fn happened(&self, windows: Vec<facts::Window>, end: Us) -> Happened {
        let mut happened = Happened { windows, ..Happened::default() };
        for Record { at, event, .. } in self.events {
            note(&mut happened, at.0, event);
        }
        if happened.broke_off.is_none() && !self.finished() {
            happened.broke_off = Some("it ended before its lab was closed".to_owned());
        }
        if happened.broke_off.is_none() {
            happened.unhealed = heals::unhealed(self, end);
        }
        happened.redundant.sort_by_key(|r| r.t);
        happened.standstills = union(std::mem::take(&mut happened.standstills));
        happened.disk_stalls = union(std::mem::take(&mut happened.disk_stalls));
        // What a disk did before anybody measured is nobody's latency, and a short stall alone makes no reading late.
        let theta = Micros::after(self.plan.theta).0;
        happened
            .disk_stalls
            .retain(|(from, to)| 0 <= *to && *from <= end && theta / 2 <= to - from);
        happened
    }
}

fn note(happened: &mut Happened, t: Us, event: &Event) {
    match event {
        Event::RoleChanged { service, shard, node, role, term } => {
            happened.roles.push(facts::RoleSeen {
                t,
                service: service.clone(),
                shard: shard.clone(),
                node: node.clone(),
                role: role.clone(),
                term: *term,
            })
        }
        Event::Redundant { service, redundant } => {
            happened.redundant.push(facts::Redundant {
                t,
                service: service.clone(),
                redundant: *redundant,
            });
        }
        Event::Lab(LabEvent::ProcessStarted { .. }) => happened.processes_started += 1,
        Event::Lab(LabEvent::ProcessExited { node, process, status, asked }) => {
            happened.exits.push(facts::Exit {
                t,
                node: node.clone(),
                process: process.clone(),
                status: status.clone(),
                asked: *asked,
            })
        }
        Event::Lab(LabEvent::Standstill { from, to }) => happened.standstills.push((from.0, to.0)),
        Event::Lab(LabEvent::DiskStalled { from, to }) => happened.disk_stalls.push((from.0, to.0)),
        Event::ReadBackFailed { observer, why } => {
            happened.not_read_back.push((observer.to_string(), why.clone()))
        }
        Event::SenderLost { assets, why } => {
            let (assets, why) = (assets.clone(), why.clone());
            happened.censored.push(facts::Censored { assets, why });
        }
        Event::Unwritten { part, why } => happened.unwritten.push((part.clone(), why.clone())),
        Event::Quiesced { complete } => happened.quiesced = *complete,
        Event::Health(health) => happened.health = Some(health.clone()),
        Event::LabOpened { simulated, .. } => happened.simulated = *simulated,
        Event::Broke { why } => happened.broke_off = Some(why.clone()),
        _ => {}
    }
}

/// By the ids of their assets.
fn fleets_in_order(plan: &Plan) -> Vec<(&FleetId, &model::plan::Fleet)> {
    let mut fleets: Vec<_> = plan.fleets.iter().collect();
    fleets.sort_by_key(|(_, fleet)| fleet.first);
    fleets
}

/// `None` for an asset or stream that the plan does not have.
fn reading(row: &Row, schedule: &model::schedule::Schedule, index: &Index) -> Option<Reading> {
    let id = row.identity;
    Some(Reading {
        asset: index.asset(id.asset)?,
        stream: index.stream(id.asset, id.stream)?,
        attempts: u16::try_from(row.attempts.len()).unwrap_or(u16::MAX),
        boot: id.boot,
        fate: row.fate,
        seq: id.seq,
        t_gen: schedule.series(id.asset, id.stream)?.at(id.seq).0,
        t_ready: row.ready.0,
        sent_first: row.attempts.first().map_or(NEVER, |a| a.sent.0),
        sent_last: row.attempts.last().map_or(NEVER, |a| a.sent.0),
        t_acked: row.acked.map_or(NEVER, |t| t.0),
        ack_pos: row.position.and_then(|p| i64::try_from(p).ok()).unwrap_or(-1),
        acked_by: row.by.map_or(u16::MAX, |node| node.0),
    })
}
