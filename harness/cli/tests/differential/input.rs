//! From a run folder to what the reference implementation reads: one ledger, and one plan for each call that is made with it.
//!
//! Written from the measurement page. Nothing of `findings` is used, so that the way from the folder to its facts is crossed by two.

use std::collections::{BTreeMap, BTreeSet};

use document::units::{Share, Time};
use model::{
    CellId, End, Event, FleetId, LabEvent, NodeId, ObserverId, Plan, ServiceId,
    ledger::Fate,
    plan::{Ack, PhaseEnd, Shows, read_back_of},
};
use run::Loaded;
use serde_json::{Map, Value, json};

use crate::journal::{self, Thing, Window};

/// The name of an asset: names sort as ids do.
pub(crate) fn asset(id: u32) -> String {
    format!("{id:06}")
}

/// Everything that is asked of the reference.
pub(crate) fn input(loaded: &Loaded) -> Result<Value, run::RunError> {
    let generated = loaded.readings()?;
    let end = end(loaded);
    let windows = journal::windows(&loaded.plan, &loaded.events, end);
    let reading = Reading { loaded, end, rows: &generated.rows, windows: &windows };
    let episodes = reading.episodes();
    let first = episodes.first().map(|episode| episode["t_effect"].clone());
    Ok(json!({
        "ledger": reading.ledger()?,
        "run": reading.run(&episodes),
        "groups": reading.groups(first.as_ref()),
        "gates": gates(&loaded.plan),
        "windows_planned": loaded.plan.windows.len(),
        "unexpected_exits": loaded.events.iter().filter(|record| is_unexpected(record)).count(),
        "episodes": episodes,
    }))
}

fn micros(time: std::time::Duration) -> i64 {
    time.as_micros() as i64
}

/// The moment at which everything was decided; of a plan that does not wait for it, its end.
fn end(loaded: &Loaded) -> i64 {
    let quiesced = |record: &model::Record| {
        matches!(record.event, Event::Quiesced { .. }).then_some(record.at.0)
    };
    let planned = || micros(loaded.plan.latest_end());
    loaded.events.iter().find_map(quiesced).unwrap_or_else(planned)
}

/// A process of the stack ended, and neither a fault nor the end of the run asked for it.
fn is_unexpected(record: &model::Record) -> bool {
    matches!(record.event, Event::Lab(LabEvent::ProcessExited { asked: false, .. }))
}

/// The gates that are asked, those that every drill has among them, with limits as numbers.
fn gates(plan: &Plan) -> Vec<Value> {
    let is_asked = |kind: &str| plan.gates.iter().any(|gate| gate.spec.kind == kind);
    let mut gates: Vec<Value> = plan
        .gates
        .iter()
        .map(|gate| json!({"kind": gate.spec.kind, "params": plain(&gate.spec.params)}))
        .collect();
    let defaults = findings::gates::defaults();
    let missing = defaults.into_iter().filter(|(kind, _)| !is_asked(kind));
    gates.extend(missing.map(|(kind, params)| json!({"kind": kind, "params": plain(&params)})));
    for gate in &mut gates {
        if gate["kind"] == "goodput" {
            let params = gate["params"].as_object_mut().expect("parameters have names");
            params.entry("of").or_insert("all".into());
        }
    }
    gates
}

/// Durations in microseconds, shares and multiples as numbers.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        Value::String(text) => {
            let time = text.parse::<Time>().ok().map(|time| micros(time.0).into());
            let share = || text.parse::<Share>().ok().map(|share| share.as_f64().into());
            let multiple = || {
                let number = text.strip_suffix("baseline")?.trim_end().strip_suffix('x')?;
                number.trim_end().parse::<f64>().ok().map(Value::from)
            };
            time.or_else(share).or_else(multiple).unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    }
}

struct Reading<'a> {
    loaded: &'a Loaded,
    end: i64,
    rows: &'a [model::Row],
    windows: &'a [Window],
}

impl Reading<'_> {
    fn plan(&self) -> &Plan {
        &self.loaded.plan
    }

    /// Streams are named within their fleet.
    fn stream(&self, asset: u32, number: u16) -> String {
        let row = self.asset_row(asset);
        let stream = &self.plan().fleets[&row.fleet].streams[usize::from(number)];
        format!("{}/{}", row.fleet, stream.name)
    }

    fn asset_row(&self, id: u32) -> &model::AssetRow {
        let mut rows = self.loaded.assets.iter();
        rows.find(|row| row.asset == id).expect("every reading's asset is listed")
    }

    fn ledger(&self) -> Result<Vec<Value>, run::RunError> {
        let mut seen = BTreeMap::<model::Identity, Map<String, Value>>::new();
        for name in self.plan().observers.keys() {
            for name in [name.clone(), read_back_of(name)] {
                for sighting in self.loaded.sightings(&name)?.iter().filter(|s| s.intact) {
                    let at = json!([sighting.at.0, sighting.position]);
                    let mine = seen.entry(sighting.identity).or_default();
                    let list = mine.entry(name.as_str()).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("it was made a list").push(at);
                }
            }
        }
        let line = |row: &model::Row| {
            let id = row.identity;
            let series = self.loaded.schedule.series(id.asset, id.stream);
            let outcome = match row.fate {
                Fate::Acked => json!("acked"),
                Fate::Refused => json!("refused"),
                Fate::Unknown => json!("unknown"),
                Fate::Dropped => json!("dropped"),
                Fate::Pending => Value::Null,
            };
            json!({
                "asset": asset(id.asset), "stream": self.stream(id.asset, id.stream),
                "boot": id.boot, "seq": id.seq,
                "t_gen": series.expect("a stream of the plan").at(id.seq).0, "t_ready": row.ready.0,
                "sent": row.attempts.iter().map(|a| a.sent.0).collect::<Vec<_>>(),
                "t_acked": row.acked.map(|at| at.0), "outcome": outcome,
                "obs": seen.get(&id).cloned().unwrap_or_default(), "ack_pos": row.position,
            })
        };
        Ok(self.rows.iter().map(line).collect())
    }

    /// What every call has.
    fn frame(&self) -> Map<String, Value> {
        let plan = self.plan();
        let mut streams = Map::new();
        for (name, fleet) in &plan.fleets {
            for stream in &fleet.streams {
                let (ack, gated) = match stream.ack {
                    Ack::Required => ("required", true),
                    Ack::BestEffort => ("best_effort", false),
                    Ack::None => ("none", false),
                };
                let value = json!({"period": micros(stream.every), "ack": ack, "gated": gated});
                streams.insert(format!("{name}/{}", stream.name), value);
            }
        }
        let phi = |gate: &Value| {
            let share = gate["params"]["of_assets"].as_f64()?;
            Some((10_000.0 * (1.0 - share)).round() as u64)
        };
        let phis: BTreeSet<u64> = gates(plan).iter().filter_map(phi).collect();
        let value = json!({
            "start": 0, "end": self.end, "stop": micros(plan.stop()).min(self.end),
            "theta": micros(plan.theta), "t_effect": null, "t_heal": null, "streams": streams,
            "phases": self.phases(), "changes": self.changes(), "affected": null,
            "observers": {}, "gates": [], "phis": phis,
        });
        value.as_object().expect("it was made an object").clone()
    }

    /// Those that the run reached; the baseline first, where the reference looks for it.
    fn phases(&self) -> Vec<Value> {
        let baseline = self.plan().baseline().map(|phase| &phase.name);
        let reached = self.plan().phases.iter().filter(|phase| micros(phase.start) < self.end);
        let mut phases: Vec<_> = reached.collect();
        phases.sort_by_key(|phase| Some(&phase.name) != baseline);
        let phase = |phase: &&model::plan::Phase| {
            let end = match phase.end {
                PhaseEnd::At(end) => micros(end).min(self.end),
                PhaseEnd::Quiesced { .. } => self.end,
            };
            json!({"name": phase.name, "start": micros(phase.start), "end": end, "steady": phase.steady})
        };
        phases.iter().map(phase).collect()
    }

    /// Phase edges, openings and closings. Within an episode only its first opening and its last closing end anything.
    fn changes(&self) -> Vec<Value> {
        let edges = self.plan().phases.iter().skip(1).map(|phase| micros(phase.start));
        let mut changes: Vec<_> = edges.map(|t| json!({"t": t, "kind": "phase"})).collect();
        for group in journal::overlapping(self.windows) {
            let last = group.iter().filter_map(|window| window.closed).max();
            for (place, window) in group.iter().enumerate() {
                changes
                    .push(json!({"t": window.asked, "kind": "fault", "same_episode": place > 0}));
                if let Some(t) = window.closed {
                    let inner = Some(t) != last;
                    changes.push(json!({"t": t, "kind": "heal", "same_episode": inner}));
                }
            }
        }
        changes
    }

    /// As the run's own figures and those of observers need them.
    fn assets(&self, of: impl Fn(&FleetId) -> bool) -> Map<String, Value> {
        let mine = self.loaded.assets.iter().filter(|row| of(&row.fleet));
        let value = |row: &model::AssetRow| {
            let contact = self.contact(&row.cell);
            let shard = self.shard(row);
            let value = json!({"region": row.home, "home": row.home, "shard": shard, "contact": contact,
                "path": true, "probe": row.probe, "fleet": row.fleet});
            (asset(row.asset), value)
        };
        mine.map(value).collect()
    }

    /// Spans in which the asset's own link is up; null for one that always is.
    fn contact(&self, cell: &CellId) -> Value {
        let slots = &self.plan().topology.cells[cell].track.slots;
        if slots.iter().all(|slot| slot.up) {
            return Value::Null;
        }
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for (place, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.up) {
            let from = micros(slot.from);
            let to = slots.get(place + 1).map_or(self.end, |next| micros(next.from)).min(self.end);
            match spans.last_mut() {
                _ if from >= to => {}
                Some(before) if before.1 == from => before.1 = to,
                _ => spans.push((from, to)),
            }
        }
        // An empty list would mean always.
        if spans.is_empty() { json!([[self.end, self.end]]) } else { json!(spans) }
    }

    /// The shard of the service that acks the asset's readings, under its full name.
    fn shard(&self, row: &model::AssetRow) -> String {
        let fleet = &self.plan().fleets[&row.fleet];
        let mut shards = self.loaded.shards.iter();
        let of = shards
            .find(|shards| shards.fleet == row.fleet && shards.service == fleet.service)
            .expect("the shards of every fleet are listed");
        let place = of.of[(row.asset - fleet.first) as usize] as usize;
        format!("{}/{}", fleet.service, of.shards[place])
    }

    fn run(&self, episodes: &[Value]) -> Value {
        let mut plan = self.frame();
        // Probes are no assets: they judge the service's own recovery only.
        plan.insert("assets".into(), self.assets(|fleet| !self.plan().fleets[fleet].probe).into());
        // Readings that may hang in flight when a fault strikes belong to no steady window, whichever fault it is.
        let effects = episodes.iter().map(
            |episode| json!({"t": episode["t_effect"], "kind": "fault", "same_episode": true}),
        );
        plan["changes"].as_array_mut().expect("a list").extend(effects);
        plan.into()
    }

    /// Fleets that the same observers look for, with them.
    fn groups(&self, first_effect: Option<&Value>) -> Vec<Value> {
        let mut groups = BTreeMap::<Vec<&ObserverId>, BTreeSet<&FleetId>>::new();
        // One that looks for probes only shows nothing of any asset.
        let is_idle = |observer: &&model::plan::Observer| {
            observer.fleets.iter().all(|fleet| self.plan().fleets[fleet].probe)
        };
        let idle = self.plan().observers.iter().filter(|(_, observer)| is_idle(observer));
        groups.entry(idle.map(|(name, _)| name).collect()).or_default();
        // Probes are no assets: nothing is said of what became of their readings.
        let fleets = self.plan().fleets.iter().filter(|(_, fleet)| !fleet.probe);
        for name in fleets.map(|(name, _)| name) {
            let observers = self.plan().observers.iter();
            let mine = observers.filter(|(_, observer)| observer.fleets.contains(name));
            groups.entry(mine.map(|(name, _)| name).collect()).or_default().insert(name);
        }
        let group = |(observers, fleets): (Vec<&ObserverId>, BTreeSet<&FleetId>)| {
            let mut plan = self.frame();
            plan.insert("assets".into(), self.assets(|fleet| fleets.contains(fleet)).into());
            plan["t_effect"] = first_effect.cloned().unwrap_or_default();
            for name in observers {
                self.observer(name, plan["observers"].as_object_mut().expect("an object"));
            }
            plan.into()
        };
        groups.into_iter().map(group).collect()
    }

    /// An observer, and what it read back.
    fn observer(&self, name: &ObserverId, into: &mut Map<String, Value>) {
        let planned = &self.plan().observers[name];
        let role = match planned.shows {
            Shows::Log if planned.of_record => "system_of_record",
            Shows::Log | Shows::Replica => "replica",
            Shows::CurrentValue => "current_value",
        };
        into.insert(name.to_string(), self.ends(name, role, &planned.service));
        let back = read_back_of(name);
        let told = self.loaded.events.iter().any(|record| match &record.event {
            Event::ObserverPassed { observer, .. } | Event::ReadBackFailed { observer, .. } => {
                *observer == back
            }
            _ => false,
        });
        if told && planned.shows != Shows::CurrentValue {
            into.insert(back.to_string(), self.ends(&back, "read_back", &planned.service));
        }
    }

    /// How far an observer came, and the end that the system itself named. Where no end is known, none is reached.
    fn ends(&self, name: &ObserverId, role: &str, service: &ServiceId) -> Value {
        let mut last = Map::new();
        let mut end = Map::new();
        let rows = self.loaded.shards.iter().filter(|row| row.service == *service);
        for shard in rows.flat_map(|row| &row.shards) {
            end.insert(format!("{service}/{shard}"), i64::MAX.into());
        }
        for record in &self.loaded.events {
            match &record.event {
                Event::ObserverPassed { observer, last: passed, end: named }
                    if observer == name =>
                {
                    let full = |shard: &model::ShardId| format!("{service}/{shard}");
                    last.extend(passed.iter().map(|(shard, at)| (full(shard), (*at).into())));
                    end.extend(named.iter().map(|(shard, at)| (full(shard), (*at).into())));
                }
                _ => {}
            }
        }
        json!({"role": role, "last": last, "end": end, "poll": 0})
    }

    /// Faults that overlap, where one of them is proven.
    fn episodes(&self) -> Vec<Value> {
        let groups = journal::overlapping(self.windows);
        groups.into_iter().filter_map(|group| self.episode(&group)).collect()
    }

    fn episode(&self, group: &[&Window]) -> Option<Value> {
        let effect = group.iter().filter_map(|window| window.proven).min()?;
        let heal = group.iter().map(|window| window.closed).collect::<Option<Vec<i64>>>();
        let mut plan = self.frame();
        plan["t_effect"] = effect.into();
        plan["t_heal"] = heal.and_then(|heals| heals.into_iter().max()).into();
        // Names belong to their service: a region that one service lost still serves the assets of another.
        let parts = || group.iter().flat_map(|window| &window.affected.0);
        let mut regions: BTreeSet<String> = parts()
            .flat_map(|(service, hit)| hit.regions.iter().map(move |r| format!("{service}/{r}")))
            .collect();
        let shards: BTreeSet<String> = parts()
            .flat_map(|(service, hit)| hit.shards.iter().map(move |s| format!("{service}/{s}")))
            .collect();
        let cells: BTreeSet<&CellId> = group.iter().flat_map(|window| &window.cells).collect();
        if !cells.is_empty() {
            regions.insert("hit itself".to_owned());
        }
        // One that names nobody means nobody, where it was known who leads.
        let names_somebody = !(regions.is_empty() && shards.is_empty());
        if names_somebody || group.iter().all(|window| window.roles_known) {
            plan["affected"] = json!({"regions": regions, "shards": shards});
        }
        let things: BTreeSet<&Thing> = group
            .iter()
            .filter(|window| window.proven.is_some())
            .flat_map(|window| window.takes.iter().map(|(thing, ..)| thing))
            .collect();
        let mut assets = self.assets(|_| true);
        for row in &self.loaded.assets {
            let service = &self.plan().fleets[&row.fleet].service;
            let value = &mut assets[&asset(row.asset)];
            let hit = cells.contains(&row.cell);
            let home = format!("{service}/{}", row.home);
            value["region"] = if hit { "hit itself".into() } else { home.clone().into() };
            value["home"] = home.into();
            value["path"] = self.has_path(row, &things).into();
        }
        plan.insert("assets".into(), assets.into());
        Some(plan.into())
    }

    /// Whether some region of the asset's list has a node of its service that is up and that it can reach, both ways, at every moment.
    fn has_path(&self, row: &model::AssetRow, taken: &BTreeSet<&Thing>) -> bool {
        let fleet = &self.plan().fleets[&row.fleet];
        let away = fleet.failover.get(&row.home).into_iter().flatten();
        let regions: BTreeSet<_> = away.chain([&row.home]).collect();
        let topology = &self.plan().topology;
        let (here, is_taken) = (End::Cell(row.cell.clone()), |thing| taken.contains(&thing));
        let reached = |(name, node): (&NodeId, &model::topology::Node)| {
            let there = End::Node(name.clone());
            node.services.contains(&fleet.service)
                && regions.contains(&node.region)
                && !is_taken(Thing::Node(name.clone()))
                && !is_taken(Thing::Link(here.clone(), there.clone()))
                && !is_taken(Thing::Link(there, here.clone()))
        };
        !is_taken(Thing::Assets(row.cell.clone())) && topology.nodes.iter().any(reached)
    }
}
