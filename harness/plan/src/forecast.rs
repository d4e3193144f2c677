//! What each gate can prove with the samples that it will get.

use std::{collections::BTreeSet, time::Duration};

use document::units::Time;
use model::{
    Plan, RegionId, ServiceId,
    plan::{Ack, Fleet, Gate, Phase},
};
use serde::Serialize;

use crate::{
    catalogs::Catalogs,
    feasibility::{next_change, period_for, time_limit},
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

/// A percentile is judged over whole slots of the slowest clock, which is the gate's own parameter `clock`, and only where enough blocks
/// show how bursty it is: 12 blocks of 5 s.
const CLOCK_S: u64 = 15;
const BLOCK_S: u64 = 5;
const BLOCKS_MIN: u64 = 12;

/// Least n with q^n <= 5 %: 299 for p99, 2 995 for p99.9, 29 956 for p99.99.
pub(crate) fn least_samples(quantile: f64) -> u64 {
    (0.05f64.ln() / quantile.ln()).ceil() as u64
}

/// The quantile of a gate's name, such as 0.99 for `latency.ack.p99`.
pub(crate) fn quantile(name: &str) -> Option<f64> {
    let (_, percent) = name.rsplit_once(".p")?;
    let percent: f64 = percent.parse().ok()?;
    (0.0..100.0).contains(&percent).then(|| (percent * 100.0).round() / 1e4)
}

pub(crate) fn of(gate: &Gate, plan: &Plan, catalogs: &Catalogs) -> Forecast {
    let mut proof = Forecast {
        gate: gate.name.clone(),
        params: gate.spec.params.clone(),
        can_prove: "exact: every reading is accounted for".into(),
        samples: None,
        samples_needed: None,
        decidable: true,
    };
    if let Some(quantile) = quantile(&gate.name) {
        percentile(&mut proof, quantile, plan, catalogs);
    } else if gate.name.starts_with("rto") || gate.name.starts_with("outage") {
        outage(&mut proof, plan);
    } else if gate.name == "goodput" {
        proof.can_prove =
            format!("good readings per second against the baseline's {:.1}", rate(plan));
    }
    proof
}

fn percentile(proof: &mut Forecast, quantile: f64, plan: &Plan, catalogs: &Catalogs) {
    let phases = judged(proof, plan);
    if phases.is_empty() {
        proof.decidable = false;
        proof.can_prove =
            "nothing: every phase holds a fault or its recovery; add a phase before the first fault".into();
        return;
    }
    // Each phase is judged by itself, so the shortest decides.
    let shortest = |of: &dyn Fn(&Phase) -> Duration| {
        phases.iter().map(|phase| of(phase)).min().unwrap_or_default()
    };
    let window = shortest(&|phase| phase.end.latest().min(plan.stop()).saturating_sub(phase.start));
    let clock = proof.params.get("clock").and_then(|clock| clock.as_str()?.parse::<Time>().ok());
    let clock = clock.map_or(CLOCK_S, |clock| clock.0.as_secs().max(1));
    let window = window.as_secs() / clock * clock;
    let groups = groups(proof, plan, catalogs);
    let readings =
        phases.iter().map(|phase| readings(phase, plan)).reduce(f64::min).unwrap_or_default();
    let samples = (readings / groups as f64) as u64;
    let needed = least_samples(quantile);
    let names: Vec<&str> = phases.iter().map(|phase| phase.name.as_str()).collect();
    let in_groups = if groups > 1 { format!(" in each of {groups} groups") } else { String::new() };
    let blocks = window / BLOCK_S;
    proof.decidable =
        samples >= needed && blocks >= BLOCKS_MIN && phases.iter().all(|phase| phase.steady);
    proof.can_prove = match proof.decidable {
        true => format!(
            "{samples} readings in {}{in_groups}; {needed} are enough if none is slower, more if they come in bursts",
            names.join(", ")
        ),
        false if samples < needed => {
            format!(
                "nothing: {samples} readings in {}{in_groups}, and at least {needed} are needed",
                names.join(", ")
            )
        }
        false if blocks < BLOCKS_MIN => format!(
            "nothing: {} gives {window} s of whole {clock} s slots, and at least {} s are needed to see bursts; make it longer, or leave the gate out",
            names.join(", "),
            BLOCKS_MIN * BLOCK_S
        ),
        false => {
            format!(
                "nothing: {} holds a fault or its recovery, where percentiles mean nothing; gate the outage there",
                names.join(", ")
            )
        }
    };
    (proof.samples, proof.samples_needed) = (Some(samples), Some(needed));
}

/// Phases of a gate: those it names, else the baseline.
fn judged<'p>(proof: &Forecast, plan: &'p Plan) -> Vec<&'p Phase> {
    let named: Vec<&str> = match proof.params.get("during") {
        Some(serde_json::Value::String(name)) => vec![name],
        Some(serde_json::Value::Array(names)) => {
            names.iter().filter_map(|name| name.as_str()).collect()
        }
        _ => vec![],
    };
    match named.is_empty() {
        true => plan.baseline().into_iter().collect(),
        false => plan.phases.iter().filter(|phase| named.contains(&phase.name.as_str())).collect(),
    }
}

/// Time in which readings count: sending goes on, and a fault is at least theta away.
fn judged_length(phase: &Phase, plan: &Plan) -> Duration {
    let end = phase.end.latest().min(plan.stop());
    let fault_next = plan.windows.iter().any(|window| earliest_open(window) == end);
    end.saturating_sub(phase.start).saturating_sub(if fault_next {
        plan.theta
    } else {
        Duration::ZERO
    })
}

/// Readings of a phase that gates judge. What is recorded in planned silence and replayed is not promised: when depends on the pass.
fn readings(phase: &Phase, plan: &Plan) -> f64 {
    let length = judged_length(phase, plan);
    let contact = |fleet: &Fleet| {
        let share = |region| contact_share(fleet, region, plan, phase.start, phase.start + length);
        fleet.home.iter().map(|(region, assets)| f64::from(*assets) * share(region)).sum()
    };
    rate_of(plan, contact) * length.as_secs_f64()
}

/// How much of a span the assets of a home are in contact.
fn contact_share(fleet: &Fleet, home: &RegionId, plan: &Plan, from: Duration, to: Duration) -> f64 {
    let cell = fleet.cells.get(home).and_then(|name| plan.topology.cells.get(name));
    let Some(cell) = cell.filter(|cell| cell.track.slots.iter().any(|slot| !slot.up) && from < to)
    else {
        return 1.0;
    };
    let inside = |(aos, los): (Duration, Duration)| los.min(to).saturating_sub(aos.max(from));
    let contact: Duration = cell.track.contacts(to).into_iter().map(inside).sum();
    contact.as_secs_f64() / (to - from).as_secs_f64()
}

/// Readings per second that gates judge, probes aside, with everybody in contact.
pub(crate) fn rate(plan: &Plan) -> f64 {
    rate_of(plan, |fleet| f64::from(fleet.assets))
}

fn rate_of(plan: &Plan, assets: impl Fn(&Fleet) -> f64) -> f64 {
    let fleets = plan.fleets.values().filter(|fleet| !fleet.probe);
    let per_fleet = fleets.map(|fleet| {
        let required = fleet.streams.iter().filter(|stream| stream.ack == Ack::Required);
        assets(fleet) * required.map(|stream| 1.0 / stream.every.as_secs_f64()).sum::<f64>()
    });
    per_fleet.sum()
}

fn groups(proof: &Forecast, plan: &Plan, catalogs: &Catalogs) -> usize {
    // Readings are grouped by the shards of the service that acks them.
    let sent_to: BTreeSet<&ServiceId> =
        plan.fleets.values().filter(|fleet| !fleet.probe).map(|fleet| &fleet.service).collect();
    let made = || {
        plan.services
            .iter()
            .filter(|(name, _)| sent_to.contains(name))
            .filter_map(|(name, spec)| services::layout_of(catalogs, name, spec, &plan.topology))
    };
    match proof.params.get("by").and_then(|by| by.as_str()) {
        Some("shard") => made().map(|service| service.shards().len()).sum::<usize>().max(1),
        Some("region") => plan.topology.regions.len().max(1),
        Some("fleet") => plan.fleets.values().filter(|fleet| !fleet.probe).count().max(1),
        _ => 1,
    }
}

fn outage(proof: &mut Forecast, plan: &Plan) {
    let period = period_for(plan, &proof.gate);
    if plan.windows.is_empty() {
        proof.can_prove = format!("outages seen to {} + {}", Time(period), Time(plan.theta));
        return;
    }
    let room = plan
        .windows
        .iter()
        .map(|window| next_change(window, plan).saturating_sub(earliest_open(window)))
        .min()
        .unwrap_or_default();
    let limit = time_limit(&proof.params).unwrap_or_default();
    proof.can_prove = format!(
        "outages longer than {}, to about {}; at most {} are seen before the next planned change, the limit is {}",
        Time(plan.theta),
        Time(period),
        Time(room),
        Time(limit)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_samples_are_those_of_the_exact_bound() {
        let found: Vec<u64> = [0.99, 0.999, 0.9999].map(least_samples).into();
        assert_eq!(found, [299, 2995, 29956]);
    }

    #[test]
    fn quantiles_are_read_from_names() {
        assert_eq!(quantile("latency.ack.p99.9"), Some(0.999));
        assert_eq!(quantile("latency.platform.p50"), Some(0.5));
        assert_eq!(quantile("outage.longest"), None);
    }
}
