//! Ratios that a small lab must share with a big fleet: a drill is a ship model, which keeps ratios and not counts.

use std::{collections::BTreeMap, fmt, time::Duration};

use model::{
    Micros, Plan,
    load::{Capacity, NOMINAL, Warp},
    plan::Fleet,
};
use serde::Serialize;

use crate::{
    backlog,
    catalogs::Catalogs,
    due::Due,
    windows::{earliest_open, latest_close},
};

/// How loaded a drill is, by the capacity that its scenario names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratios {
    /// mu, readings per second.
    pub capacity_per_s: f64,
    /// lambda, readings per second in the baseline.
    pub load_per_s: f64,
    /// lambda / mu: utilisation before the fault.
    pub rho: f64,
    /// At the highest load during a fault, with one of R regions lost: times R / (R - 1). None with one region or no fault.
    pub rho_fault: Option<f64>,
    /// H = N / (C * T): connections of the largest home, over what is accepted within a connect timeout. None where C is not known.
    pub herd: Option<f64>,
    /// q = Q / (C * T): how many connect timeouts the last one waits in a full queue. None where C or Q is not known.
    pub queue: Option<f64>,
    /// k: how fast assets replay, as a multiple of the nominal rate; of the slowest fleet.
    pub replay: f64,
    /// B / (mu - lambda): how long the largest backlog takes to drain, in seconds. None where there is none, or it never does.
    pub drain_s: Option<f64>,
}

/// None where the scenario names no capacity.
pub(crate) fn of(due: &Due<'_>, catalogs: &Catalogs) -> Option<Ratios> {
    let plan = due.plan;
    let Capacity { readings_per_s: mu, connects_per_s, queue } = plan.capacity?;
    let (from, to) =
        plan.baseline().map_or((Duration::ZERO, plan.stop()), |it| (it.start, it.end.latest()));
    let load = mean(plan, from, to);
    let timeout = fleets(plan).map(|fleet| fleet.connection.connect_timeout).min()?;
    let accepts = connects_per_s.map(|connects| connects * timeout.as_secs_f64());
    let last = plan.windows.iter().map(latest_close).max();
    let after = last.map_or(load, |last| mean(plan, last, plan.stop()));
    let backlog = plan.windows.iter().map(|window| backlog::of(window, due, catalogs)).max();
    let drain = backlog.filter(|backlog| *backlog > 0 && mu > after);
    Some(Ratios {
        capacity_per_s: mu,
        load_per_s: load,
        rho: load / mu,
        rho_fault: under_a_fault(plan).map(|load| load / mu),
        herd: accepts.map(|accepts| largest_home(plan) / accepts),
        queue: accepts.zip(queue).map(|(accepts, queue)| f64::from(queue) / accepts),
        replay: fleets(plan).map(|fleet| fleet.recorder.rate).fold(f64::INFINITY, f64::min),
        drain_s: drain.map(|backlog| backlog as f64 / (mu - after)),
    })
}

fn fleets(plan: &Plan) -> impl Iterator<Item = &Fleet> {
    plan.fleets.values().filter(|fleet| !fleet.probe)
}

/// Readings per second of a fleet at its nominal rate.
fn nominal(fleet: &Fleet) -> f64 {
    f64::from(fleet.assets) * fleet.nominal_per_s()
}

/// Readings per second of all fleets over a span.
fn mean(plan: &Plan, from: Duration, to: Duration) -> f64 {
    let (from, to) = (Micros::after(from), Micros::after(to));
    let of = |fleet: &Fleet| {
        let warp = Warp::of(&fleet.load);
        let passed = warp.nominal(to).since(warp.nominal(from)).as_secs_f64();
        nominal(fleet) * passed / to.since(from).as_secs_f64().max(1e-6)
    };
    plan.fleets.values().map(of).sum()
}

/// What the regions that are left would get at the highest load of a fault that takes one.
fn under_a_fault(plan: &Plan) -> Option<f64> {
    let with_nodes = |region: &&model::RegionId| plan.topology.nodes_in(region).next().is_some();
    let regions = plan.topology.regions.keys().filter(with_nodes).count() as f64;
    let highest = |window| {
        let span = (Micros::after(earliest_open(window)), Micros::after(latest_close(window)));
        let of = |fleet: &Fleet| {
            let (_, most) = Warp::of(&fleet.load).rates(span);
            nominal(fleet) * f64::from(most) / f64::from(NOMINAL)
        };
        plan.fleets.values().map(of).sum::<f64>()
    };
    let load = plan.windows.iter().map(highest).reduce(f64::max)?;
    (regions > 1.0).then(|| load * regions / (regions - 1.0))
}

fn largest_home(plan: &Plan) -> f64 {
    let mut homes = BTreeMap::new();
    for fleet in fleets(plan) {
        for (home, assets) in &fleet.home {
            *homes.entry(home).or_insert(0.0) += f64::from(fleet.connections_of(*assets));
        }
    }
    homes.into_values().fold(0.0, f64::max)
}

impl Ratios {
    /// What makes the drill a bad model, each as a sentence about the traffic.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let Self { rho, rho_fault, herd, .. } = *self;
        let mut remarks = vec![];
        if rho >= 1.0 {
            remarks.push(format!(
                "asks for {:.0} % of what the stack carries before any fault: it is overloaded by plan; send less",
                100.0 * rho
            ));
        } else if let Some(after) = rho_fault.filter(|after| *after >= 1.0) {
            remarks.push(format!(
                "asks for {:.0} % of what is left once a region is lost: outages then last until the heal; send less, or say so with the gates",
                100.0 * after
            ));
        } else if rho < 0.1 {
            remarks.push(format!(
                "asks for {:.1} % of what the stack carries: a fleet so small shows nothing of a loaded one; send more, from 10 %",
                100.0 * rho
            ));
        }
        if let Some(herd) = herd.filter(|herd| *herd < 1.0) {
            remarks.push(format!(
                "has {herd:.2} times the assets that a region accepts within one connect timeout: no reconnect storm comes of it; take more assets for one"
            ));
        }
        remarks
    }
}

impl fmt::Display for Ratios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capacity_per_s, load_per_s, rho, rho_fault, herd, queue, replay, drain_s } =
            self;
        writeln!(
            f,
            "  rho {rho:.3}: {load_per_s:.1} of {capacity_per_s:.1} readings/s before a fault"
        )?;
        if let Some(rho) = rho_fault {
            writeln!(f, "  rho_f {rho:.3}: at the highest load of a fault, one region less")?;
        }
        if let Some(herd) = herd {
            writeln!(
                f,
                "  H {herd:.2}: connections of the largest home per connects within a timeout"
            )?;
        }
        if let Some(queue) = queue {
            writeln!(f, "  q {queue:.2}: connect timeouts that a full queue takes")?;
        }
        writeln!(f, "  k {replay:.1}: replay, as a multiple of the nominal rate")?;
        if let Some(drain) = drain_s {
            writeln!(f, "  drain {drain:.1} s: the largest backlog, beside the live readings")?;
        }
        Ok(())
    }
}
