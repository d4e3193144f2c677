//! What each gate can prove with the readings that it will get.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use document::units::Time;
use model::{
    Micros, Plan, ServiceId,
    plan::{Gate, Phase, Shows},
};
use seams::{
    Layout,
    gate::{By, Quantile, Rests},
};
use serde::Serialize;

use crate::{
    catalogs::Catalogs,
    due::{Counted, Due, both},
    feasibility::{next_change, period_for, slowest_period, undecidable},
    services,
    windows::earliest_open,
};

/// One gate and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub gate: String,
    /// Parameters in their canonical form.
    pub params: serde_json::Value,
    /// In words.
    pub can_prove: String,
    /// Readings that the smallest group will have, for gates on percentiles.
    pub samples: Option<u64>,
    /// The least number with which a percentile can pass at 95 %, none being slower.
    pub samples_needed: Option<u64>,
    /// Whether it can come to pass or fail at all.
    pub decidable: bool,
}

/// A percentile is judged only where enough blocks show how bursty it is: 12 blocks of 5 s.
const BLOCK_S: i64 = 5;
const BLOCKS_MIN: i64 = 12;
const SECOND: i64 = 1_000_000;

/// Least n with q^n <= 5 %: 299 for p99, 2 995 for p99.9, 29 956 for p99.99.
pub(crate) fn least_samples(quantile: f64) -> u64 {
    (0.05f64.ln() / quantile.ln()).ceil() as u64
}

/// Of each gate, in the order of the plan.
pub(crate) fn of_gates(due: &Due<'_>, catalogs: &Catalogs) -> Vec<Forecast> {
    due.plan.gates.iter().map(|gate| of(gate, due, catalogs)).collect()
}

fn of(gate: &Gate, due: &Due<'_>, catalogs: &Catalogs) -> Forecast {
    let rests = (catalogs.rests_on)(&gate.spec);
    let mut proof = Forecast {
        gate: gate.name.clone(),
        params: gate.spec.params.clone(),
        can_prove: rests.as_ref().map(|rests| words(rests, due.plan, due)).unwrap_or_default(),
        samples: None,
        samples_needed: None,
        decidable: rests.is_some(),
    };
    match &rests {
        Some(Rests::Quantile(asked)) => quantile(&mut proof, asked, due, catalogs),
        Some(rests) => {
            if let Some(why) = undecidable(rests, &gate.name, due, catalogs) {
                proof.decidable = false;
                proof.can_prove = format!("nothing: {}; {}", why.what, why.help);
            }
        }
        None => proof.can_prove = "nothing: this build has no such gate".into(),
    }
    proof
}

/// What a gate that can be decided shows.
fn words(rests: &Rests, plan: &Plan, due: &Due<'_>) -> String {
    match rests {
        Rests::Count => "exact: every reading is accounted for".into(),
        Rests::Told => "exact: what the stack says of itself".into(),
        Rests::Return => "exact: every asset that was not served at the end".into(),
        Rests::Outage { max } => outage(slowest_period(plan), *max, plan),
        Rests::Recovery { max, of } => recovery(period_for(plan, *of), *max, plan),
        Rests::Goodput { during, beside_faults } => goodput(during, *beside_faults, due),
        Rests::Quantile(_) => String::new(),
    }
}

/// Readings of one group in one phase, all that are judged there.
struct Group<'p> {
    phase: &'p Phase,
    name: String,
    readings: u64,
}

fn quantile(proof: &mut Forecast, asked: &Quantile, due: &Due<'_>, catalogs: &Catalogs) {
    let nothing = |proof: &mut Forecast, why: String| {
        proof.decidable = false;
        proof.can_prove = format!("nothing: {why}");
    };
    let phases = judged(&asked.during, due.plan);
    if phases.is_empty() {
        let why = "every phase holds a fault or its recovery; add a phase before the first fault";
        return nothing(proof, why.into());
    }
    let clock = Micros::after(asked.clock).0;
    if clock < SECOND || clock % SECOND != 0 {
        let why = format!("its clock of {} is no whole number of seconds", Time(asked.clock));
        return nothing(proof, why);
    }
    if let Some(observer) = &asked.shown_by
        && due.plan.observers.get(observer).is_none_or(|it| it.shows == Shows::CurrentValue)
    {
        return nothing(proof, format!("`{observer}` does not keep every reading"));
    }
    // Each phase is judged by itself, so the shortest decides.
    let whole = |phase: &&Phase| {
        let lasts = Micros::after(phase.end.latest()).0 - Micros::after(phase.start).0;
        lasts / clock * clock / SECOND
    };
    let window = phases.iter().map(whole).min().unwrap_or_default();
    let groups: Vec<Group<'_>> =
        phases.iter().flat_map(|phase| groups(phase, whole(phase), asked, due, catalogs)).collect();
    let count = groups.len();
    let smallest = groups.into_iter().min_by_key(|group| group.readings);
    let samples = smallest.as_ref().map_or(0, |group| group.readings);
    let needed = least_samples(asked.q);
    (proof.samples, proof.samples_needed) = (Some(samples), Some(needed));
    let place = match &smallest {
        Some(Group { phase, name, .. }) if count > 1 => {
            format!("{} of {name}, the smallest of {count} groups", phase.name)
        }
        Some(Group { phase, .. }) => phase.name.to_string(),
        None => names(&phases),
    };
    if let Some(phase) = phases.iter().find(|phase| !phase.steady) {
        let why =
            "holds a fault or its recovery, where percentiles mean nothing; gate the outage there";
        return nothing(proof, format!("{} {why}", phase.name));
    }
    if samples < needed {
        return nothing(
            proof,
            format!("{samples} readings in {place}, and at least {needed} are needed"),
        );
    }
    if window / BLOCK_S < BLOCKS_MIN {
        return nothing(
            proof,
            format!(
                "{} gives {window} s of whole {} s slots, and at least {} s are needed to see bursts; make it longer, or leave the gate out",
                names(&phases),
                clock / SECOND,
                BLOCKS_MIN * BLOCK_S
            ),
        );
    }
    proof.can_prove = format!(
        "{samples} readings in {place}; {needed} are enough if none is slower, more if they come in bursts"
    );
}

fn names(phases: &[&Phase]) -> String {
    phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Those that a gate names, else the baseline.
fn judged<'p>(during: &[String], plan: &'p Plan) -> Vec<&'p Phase> {
    match during {
        [] => plan.baseline().into_iter().collect(),
        named => plan
            .phases
            .iter()
            .filter(|phase| named.iter().any(|name| name == phase.name.as_str()))
            .collect(),
    }
}

/// What a phase gives each group, also those that get nothing: they are judged, and have no data.
fn groups<'p>(
    phase: &'p Phase,
    seconds: i64,
    asked: &Quantile,
    due: &Due<'_>,
    catalogs: &Catalogs,
) -> Vec<Group<'p>> {
    let shards = Shards::new(due.plan, catalogs);
    let start = Micros::after(phase.start);
    let whole = both(&due.judged(phase), &[(start, Micros(start.0 + seconds * SECOND))]);
    let counted = match &asked.shown_by {
        Some(observer) => {
            let shown = due.plan.observers.get(observer).map(|observer| &observer.fleets);
            due.counted(&whole, |fleet, _| shown.is_some_and(|shown| shown.contains(fleet)))
        }
        None => due.required(&whole),
    };
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    for counted in &counted {
        *groups.entry(group(asked.by, counted, &shards)).or_default() += counted.readings;
    }
    groups.into_iter().map(|(name, readings)| Group { phase, name, readings }).collect()
}

fn group(by: Option<By>, counted: &Counted<'_>, shards: &Shards<'_>) -> String {
    match by {
        None => "all".into(),
        Some(By::Shard) => shards.of(counted),
        Some(By::Region) => counted.home.to_string(),
        Some(By::Fleet) => counted.fleet.to_string(),
    }
}

/// Where readings lie, as the services themselves say.
struct Shards<'p> {
    plan: &'p Plan,
    layouts: BTreeMap<&'p ServiceId, Arc<dyn Layout>>,
}

impl<'p> Shards<'p> {
    fn new(plan: &'p Plan, catalogs: &Catalogs) -> Self {
        let layout =
            |(name, spec)| Some((name, services::layout_of(catalogs, name, spec, &plan.topology)?));
        Self { plan, layouts: plan.services.iter().filter_map(layout).collect() }
    }

    /// In the service that acks the readings.
    fn of(&self, counted: &Counted<'_>) -> String {
        let service = self.plan.fleets.get(counted.fleet).map(|fleet| &fleet.service);
        let shard = service.and_then(|service| {
            let shard = self.layouts.get(service)?.shard_of(counted.asset, counted.stream);
            Some(format!("{service}/{shard}"))
        });
        shard.unwrap_or_else(|| "all".into())
    }
}

fn goodput(during: &[String], beside_faults: bool, due: &Due<'_>) -> String {
    let plan = due.plan;
    if beside_faults && plan.windows.is_empty() {
        return "nobody is judged: no fault is planned".into();
    }
    let whose = if beside_faults { "at most " } else { "" };
    let (readings, place) = crate::feasibility::least_due(during, due);
    format!("good readings of those due, {whose}{readings} {place}")
}

fn outage(period: Duration, max: Option<Duration>, plan: &Plan) -> String {
    let seen = seen(period, plan);
    max.map_or(seen.clone(), |max| format!("{seen}; the limit is {}", Time(max)))
}

fn seen(period: Duration, plan: &Plan) -> String {
    format!("outages longer than {}, to about {}", Time(plan.theta), Time(period))
}

fn recovery(period: Duration, max: Duration, plan: &Plan) -> String {
    let seen = seen(period, plan);
    let room = plan
        .windows
        .iter()
        .map(|window| next_change(window, plan).saturating_sub(earliest_open(window)));
    match room.min() {
        None => seen,
        Some(room) => format!(
            "{seen}; at most {} are seen before the next planned change, the limit is {}",
            Time(room),
            Time(max)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_samples_are_those_of_the_exact_bound() {
        let found: Vec<u64> = [0.99, 0.999, 0.9999].map(least_samples).into();
        assert_eq!(found, [299, 2995, 29956]);
    }
}
