//! `wetdress plan`: what a run would do, said before anything starts.

mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use document::units::{Multiple, Time};
use model::{
    FleetId, Micros, NodeId, Plan, RegionId, ServiceId,
    load::{NOMINAL, Warp},
    plan::{Closing, Opening, PhaseEnd},
};
use serde::Serialize;

use crate::{
    backlog,
    blast_radius::{self, BlastRadius},
    catalogs::Catalogs,
    due::Due,
    forecast::{self, Forecast},
    ratios::{self, Ratios},
    warnings::{self, Warning},
    windows::{earliest_open, latest_close},
};

/// Everything that can be said of a plan beforehand. Display gives text for a person, serde the same as data.
#[derive(Clone, Debug, Serialize)]
pub struct Description {
    pub scenario: String,
    pub summary: Option<String>,
    pub seed: u64,
    pub sha256: String,
    pub lab: String,
    /// The longest that the timeline can take, in seconds, without bringing the stack up.
    pub lasts_s_max: f64,
    pub phases: Vec<PhaseLine>,
    pub faults: Vec<FaultLine>,
    /// In the order in which they are brought up.
    pub services: Vec<ServiceLine>,
    pub regions: BTreeMap<RegionId, RegionLine>,
    pub fleets: Vec<FleetLine>,
    /// Where the scenario names the capacity of its stack.
    pub ratios: Option<Ratios>,
    pub gates: Vec<Forecast>,
    pub warnings: Vec<Warning>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PhaseLine {
    pub name: String,
    pub from_s: f64,
    pub to_s: f64,
    pub quiesces: bool,
    pub measured: bool,
    pub steady: bool,
    /// Of each fleet whose load is not the nominal one, the lowest and the highest, such as `1x to 3x`.
    pub load: BTreeMap<FleetId, String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FaultLine {
    pub id: String,
    pub kind: String,
    pub opens: String,
    pub closes: String,
    pub from_s: f64,
    pub to_s: f64,
    pub reach: Option<BlastRadius>,
    /// Readings that wait at its end on assets that find no other way to their service.
    pub backlog: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ServiceLine {
    pub name: ServiceId,
    pub kind: String,
    pub nodes: Vec<NodeId>,
    /// Other services on some of these nodes.
    pub shares_with: BTreeSet<ServiceId>,
    /// Services that are brought up before it.
    pub needs: BTreeSet<ServiceId>,
}

/// Nodes and assets of a region; probes are told with their fleet.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RegionLine {
    pub nodes: usize,
    pub assets: u32,
    pub readings_per_s: f64,
    pub bytes_per_s: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct FleetLine {
    pub name: String,
    /// Its assets are probes, which judge `rto.service` and stand in no other figure.
    pub probe: bool,
    pub assets: u32,
    /// At the nominal rates of its streams.
    pub readings_per_s: f64,
    /// At the highest load of the run.
    pub peak_readings_per_s: f64,
    pub driver: String,
    /// Assets that must be connected anew within one connect timeout when its largest home region is lost, per second.
    pub connects_per_s: f64,
    /// Replay on top of live traffic, as a multiple of the nominal rate.
    pub replay: f64,
}

/// Describes a plan. The catalogs must be those that it was loaded with.
pub fn describe(plan: &Plan, catalogs: &Catalogs) -> Description {
    let due = Due::new(plan);
    let gates = forecast::of_gates(&due, catalogs);
    Description {
        scenario: plan.scenario.clone(),
        summary: plan.summary.clone(),
        seed: plan.seed,
        sha256: plan.source.sha256.clone(),
        lab: plan.lab.kind.clone(),
        lasts_s_max: plan.latest_end().as_secs_f64(),
        phases: plan.phases.iter().map(|it| phase(it, plan)).collect(),
        faults: faults(&due, catalogs),
        services: services(plan),
        regions: regions(plan),
        fleets: fleets(plan),
        ratios: ratios::of(&due, catalogs),
        warnings: warnings::beside(&gates, &due, catalogs),
        gates,
    }
}

/// In millionths of the nominal rate; nominal where no load is written.
fn rates(fleet: &model::plan::Fleet, from: Duration, to: Duration) -> (u32, u32) {
    Warp::of(&fleet.load).rates((Micros::after(from), Micros::after(to)))
}

fn phase(phase: &model::plan::Phase, plan: &Plan) -> PhaseLine {
    let (from, to) = (phase.start, phase.end.latest());
    let load = |(name, fleet): (&FleetId, &model::plan::Fleet)| match rates(fleet, from, to) {
        (NOMINAL, NOMINAL) => None,
        (least, most) if least == most => Some((name.clone(), Multiple(least).to_string())),
        (least, most) => Some((name.clone(), format!("{} to {}", Multiple(least), Multiple(most)))),
    };
    PhaseLine {
        load: plan.fleets.iter().filter_map(load).collect(),
        name: phase.name.to_string(),
        from_s: phase.start.as_secs_f64(),
        to_s: phase.end.latest().as_secs_f64(),
        quiesces: matches!(phase.end, PhaseEnd::Quiesced { .. }),
        measured: phase.measure,
        steady: phase.steady,
    }
}

fn faults(due: &Due<'_>, catalogs: &Catalogs) -> Vec<FaultLine> {
    let plan = due.plan;
    let line = |window: &model::plan::Window| {
        let (from, to) = (earliest_open(window), latest_close(window));
        FaultLine {
            id: window.id.to_string(),
            kind: window.fault.kind.clone(),
            opens: opens(&window.opening),
            closes: closes(window.closing),
            from_s: from.as_secs_f64(),
            to_s: to.as_secs_f64(),
            reach: blast_radius::of(window, plan, catalogs),
            backlog: backlog::of(window, due, catalogs),
        }
    };
    plan.windows.iter().map(line).collect()
}

fn opens(opening: &Opening) -> String {
    match opening {
        Opening::At(at) => format!("at {}", Time(*at)),
        Opening::When { event, from, to, after } => {
            let wait =
                if after.is_zero() { String::new() } else { format!("{} after ", Time(*after)) };
            let event = match event {
                model::plan::EventPattern::RoleChanged { service, shard, role } => {
                    let shard = shard.as_ref().map(|shard| format!("/{shard}")).unwrap_or_default();
                    format!("a new {role} of {service}{shard}")
                }
                model::plan::EventPattern::ProcessExited { service } => {
                    format!("a process of {service} ends unasked")
                }
            };
            format!("{wait}when {event}, between {} and {}", Time(*from), Time(*to))
        }
    }
}

fn closes(closing: Closing) -> String {
    match closing {
        Closing::At(at) => format!("at {}", Time(at)),
        Closing::After(lasts) => format!("{} later", Time(lasts)),
    }
}

fn services(plan: &Plan) -> Vec<ServiceLine> {
    // A plan that was loaded has no circle.
    let order = plan.topology.start_order().unwrap_or_default();
    let line = |name: ServiceId| {
        let nodes: Vec<NodeId> = plan.topology.nodes_of(&name).cloned().collect();
        let others = nodes.iter().flat_map(|node| &plan.topology.nodes[node].services);
        Some(ServiceLine {
            kind: plan.services.get(&name)?.kind.clone(),
            shares_with: others.filter(|other| **other != name).cloned().collect(),
            needs: plan.topology.services.get(&name)?.needs.clone(),
            nodes,
            name,
        })
    };
    order.into_iter().filter_map(line).collect()
}

fn regions(plan: &Plan) -> BTreeMap<RegionId, RegionLine> {
    let mut lines: BTreeMap<RegionId, RegionLine> = BTreeMap::new();
    for region in plan.topology.regions.keys() {
        lines.entry(region.clone()).or_default().nodes = plan.topology.nodes_in(region).count();
    }
    for fleet in plan.fleets.values().filter(|fleet| !fleet.probe) {
        for (region, assets) in &fleet.home {
            let line = lines.entry(region.clone()).or_default();
            line.assets += assets;
            for stream in &fleet.streams {
                let rate = f64::from(*assets) * stream.nominal_per_s();
                line.readings_per_s += rate;
                line.bytes_per_s += rate * f64::from(stream.payload.p50);
            }
        }
    }
    lines
}

fn fleets(plan: &Plan) -> Vec<FleetLine> {
    let line = |(name, fleet): (&FleetId, &model::plan::Fleet)| {
        let (_, peak) = rates(fleet, Duration::ZERO, plan.stop());
        let nominal = f64::from(fleet.assets) * fleet.nominal_per_s();
        let largest = fleet.home.values().max().copied().unwrap_or(0);
        FleetLine {
            name: name.to_string(),
            probe: fleet.probe,
            assets: fleet.assets,
            readings_per_s: nominal,
            peak_readings_per_s: nominal * f64::from(peak) / f64::from(NOMINAL),
            driver: format!("{} to {}", fleet.driver.kind, fleet.service),
            connects_per_s: f64::from(fleet.connections_of(largest))
                / fleet.connection.connect_timeout.as_secs_f64().max(1e-3),
            replay: fleet.recorder.rate,
        }
    };
    plan.fleets.iter().map(line).collect()
}
