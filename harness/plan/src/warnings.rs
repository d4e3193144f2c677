//! What is allowed and perhaps not meant.

use std::{fmt, time::Duration};

use document::units::{Multiple, Time};
use model::{
    Micros, Plan,
    load::Warp,
    plan::{Gate, Phase, ReplayOrder, Window},
};
use seams::gate::{Recovers, Rests};
use serde::Serialize;

use crate::{
    blast_radius,
    catalogs::Catalogs,
    due::Due,
    feasibility::{period_for, slowest_period, slowest_within},
    forecast::{self, Forecast},
    ratios::{self, Ratios},
    services,
    windows::{earliest_open, latest_close},
};

/// A remark about a plan that loads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The gate, fault or phase that it is about.
    pub about: String,
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.about, self.message)
    }
}

/// Everything worth a second look, in the order of gates, faults, phases.
pub fn warnings(plan: &Plan, catalogs: &Catalogs) -> Vec<Warning> {
    let due = Due::new(plan);
    beside(&forecast::of_gates(&due, catalogs), &due, catalogs)
}

/// The same, for whoever has the forecasts of the plan's gates already.
pub(crate) fn beside(proofs: &[Forecast], due: &Due<'_>, catalogs: &Catalogs) -> Vec<Warning> {
    let plan = due.plan;
    let mut warnings = vec![];
    let mut warn =
        |about: &str, message: String| warnings.push(Warning { about: about.to_owned(), message });
    for (gate, proof) in plan.gates.iter().zip(proofs) {
        if !proof.decidable {
            warn(&gate.name, format!("can prove {}", proof.can_prove));
        }
        let limit = match (catalogs.rests_on)(&gate.spec) {
            Some(Rests::Recovery { max, of }) => Some((max, of)),
            Some(Rests::Outage { max: Some(max) }) => Some((max, Recovers::Assets)),
            _ => None,
        };
        if let Some((limit, of)) = limit {
            resolution(&gate.name, limit, of, plan, &mut warn);
            timers(&gate.name, limit, of, plan, catalogs, &mut warn);
        }
    }
    if plan.baseline().is_none() {
        let message = "none of them is steady, and without a baseline every run is inconclusive; add one before the first fault";
        warn("phases", message.into());
    }
    unjudged(plan, catalogs, &mut warn);
    kills(plan, catalogs, &mut warn);
    contacts(plan, &mut warn);
    for window in &plan.windows {
        if let Some(world) = blast_radius::world(window, plan, catalogs) {
            let lost = blast_radius::lost_regions(&world, plan).len();
            if lost > plan.safety.tolerates_regions as usize {
                warn(
                    window.id.as_str(),
                    format!(
                        "takes {lost} regions, and {} may be lost: beyond that only safety is demanded",
                        plan.safety.tolerates_regions
                    ),
                );
            }
        }
    }
    if let Some(phase) = plan.baseline() {
        baseline(phase, plan, &mut warn);
    }
    let ratios = ratios::of(due, catalogs);
    for remark in ratios.iter().flat_map(Ratios::remarks) {
        warn("traffic", remark);
    }
    warnings
}

/// What everything is compared with must be long enough, and one thing.
fn baseline(phase: &Phase, plan: &Plan, warn: &mut impl FnMut(&str, String)) {
    let (from, to) = (phase.start, phase.end.latest());
    let slowest = slowest_within(plan, from, to);
    if to - from < slowest * 8 {
        let message =
            format!("is shorter than 8 intervals of the slowest stream ({})", Time(slowest * 8));
        warn(phase.name.as_str(), message);
    }
    for (name, fleet) in &plan.fleets {
        let (least, most) = Warp::of(&fleet.load).rates((Micros::after(from), Micros::after(to)));
        if least != most {
            let (least, most) = (Multiple(least), Multiple(most));
            let message = format!(
                "is the baseline, and the load of `{name}` goes from {least} to {most} in it: percentiles of it are of no one load; keep it level"
            );
            warn(phase.name.as_str(), message);
        }
    }
}

/// A fault is asked for, and nobody says how long assets may be out.
fn unjudged(plan: &Plan, catalogs: &Catalogs, warn: &mut impl FnMut(&str, String)) {
    let judges = |gate: &Gate| {
        let rests = (catalogs.rests_on)(&gate.spec);
        matches!(rests, Some(Rests::Outage { .. } | Rests::Recovery { .. }))
    };
    if let Some(window) = plan.windows.first()
        && !plan.gates.iter().any(judges)
    {
        let message =
            "nothing judges how long assets are out; add a gate such as `outage.longest: 30s`";
        warn(window.id.as_str(), message.into());
    }
}

/// An outage is known to an interval: that must be small beside the limit.
fn resolution(
    gate: &str,
    limit: Duration,
    of: Recovers,
    plan: &Plan,
    warn: &mut impl FnMut(&str, String),
) {
    let period = period_for(plan, of);
    // A limit of zero asks for no outage that anybody sees.
    if limit.is_zero() || period * 10 <= limit {
        return;
    }
    let within = Time(Duration::from_millis(((limit.as_millis() / 10) as u64).max(1)));
    let has_probe = plan.fleets.values().any(|fleet| fleet.probe);
    let advice = match of {
        Recovers::Service if has_probe => format!("let the probe send every {within}"),
        Recovers::Service => format!("`probe: {{every: {within}}}` sees more"),
        Recovers::Assets => {
            let least = Time(period * 10);
            format!("let every stream send every {within}, or allow {least}")
        }
    };
    warn(
        gate,
        format!(
            "readings come every {}, more than 10 % of the limit {}; {advice}",
            Time(period),
            Time(limit)
        ),
    );
}

/// A gate below the stack's own timers fails by construction.
fn timers(
    gate: &str,
    limit: Duration,
    of: Recovers,
    plan: &Plan,
    catalogs: &Catalogs,
    warn: &mut impl FnMut(&str, String),
) {
    let own = match of {
        Recovers::Service => Duration::ZERO,
        Recovers::Assets => client_side(plan),
    };
    for (name, spec) in &plan.services {
        let Some(service) = services::layout_of(catalogs, name, spec, &plan.topology) else {
            continue;
        };
        let bounding = service
            .timers()
            .into_iter()
            .filter(|timer| timer.bounds_failover)
            .max_by_key(|timer| timer.value);
        let Some(timer) = bounding.filter(|timer| limit < timer.value + own) else { continue };
        let client = if own.is_zero() {
            String::new()
        } else {
            format!(" and the assets' own {} (interval and first backoff)", Time(own))
        };
        warn(
            gate,
            format!(
                "the limit {} is below `{name}`'s own {} of {}{client}",
                Time(limit),
                timer.name,
                Time(timer.value)
            ),
        );
    }
}

/// What an asset adds to an outage by itself: the slowest interval and the first wait of its backoff.
fn client_side(plan: &Plan) -> Duration {
    let backoff = plan
        .fleets
        .values()
        .filter(|fleet| !fleet.probe)
        .map(|fleet| fleet.connection.backoff.base)
        .max();
    slowest_period(plan) + backoff.unwrap_or_default()
}

/// A contact plan that leaves readings on their assets.
fn contacts(plan: &Plan, warn: &mut impl FnMut(&str, String)) {
    let end = plan.latest_end();
    for (name, fleet) in &plan.fleets {
        let mut silent = false;
        for (region, cell) in &fleet.cells {
            let spans = plan
                .topology
                .cells
                .get(cell)
                .map(|cell| cell.track.contacts(end))
                .unwrap_or_default();
            silent |= spans != [(Duration::ZERO, end)];
            let last = spans.last().map_or(Duration::ZERO, |(_, los)| *los);
            if last < end && last <= plan.stop() {
                warn(
                    name.as_str(),
                    format!(
                        "has no contact in `{region}` from {} on: what it records then is never sent",
                        Time(last)
                    ),
                );
            }
            let before = std::iter::once(Duration::ZERO).chain(spans.iter().map(|(_, los)| *los));
            let mut passes = spans.iter().zip(before).filter(|((aos, los), since)| {
                let (silence, pass) = ((*aos - *since).as_secs_f64(), (*los - *aos).as_secs_f64());
                *los < end && silence > pass * fleet.recorder.rate
            });
            if let Some(((aos, _), since)) = passes.next() {
                let (aos, silence, rate) = (Time(*aos), Time(*aos - since), fleet.recorder.rate);
                let message = format!(
                    "its pass at {aos} in `{region}` is too short to replay {silence} of silence at {rate}x"
                );
                warn(name.as_str(), message);
            }
        }
        if silent && fleet.recorder.order == ReplayOrder::OldestFirst {
            warn(name.as_str(), "replays the oldest first: live readings wait behind what silence recorded, and their wait counts".into());
        }
    }
}

/// A kill is a state: two of one node that touch are one.
fn kills(plan: &Plan, catalogs: &Catalogs, warn: &mut impl FnMut(&str, String)) {
    let touch = |a: &Window, b: &Window| {
        earliest_open(a) <= latest_close(b) && earliest_open(b) <= latest_close(a)
    };
    for (i, first) in plan.windows.iter().enumerate() {
        for second in plan.windows.iter().skip(i + 1).filter(|second| touch(first, second)) {
            let worlds = (
                blast_radius::world(first, plan, catalogs),
                blast_radius::world(second, plan, catalogs),
            );
            let (Some(one), Some(other)) = worlds else { continue };
            if let Some(node) =
                blast_radius::down(&one).intersection(&blast_radius::down(&other)).next()
            {
                let message = format!(
                    "touches `{}`, and both take `{node}` down: the two are one; leave time between them",
                    first.id
                );
                warn(second.id.as_str(), message);
            }
        }
    }
}
