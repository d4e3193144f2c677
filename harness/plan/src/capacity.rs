//! The plan of a run that looks for what a stack carries: the same stack and fleets, no fault, and a load that goes up in steps.

use std::time::Duration;

use document::units::{Multiple, Time};
use model::{
    Micros, Plan,
    load::{Load, NOMINAL, Piece, Warp},
    plan::{Phase, PhaseEnd, PhaseKind},
};

use crate::bounds::READINGS_MAX;

/// Connections are made in it, at the nominal rate.
const WARMUP: Duration = Duration::from_secs(5);
/// Most that is waited for what is still under way at the end.
const QUIESCE_MAX: Duration = Duration::from_secs(60);

/// From the nominal load up, each step the same multiple of the one before it.
#[derive(Clone, Copy, Debug)]
pub struct Stair {
    /// Load of the last step; more than the nominal one.
    pub to: Multiple,
    /// At least two.
    pub steps: u32,
    /// How long each lasts.
    pub lasts: Time,
}

/// The scenario's plan, with this stair instead of its phases, faults, gates and loads.
///
/// # Errors
/// Why there can be no such run, and what to do, in a sentence.
pub fn capacity_run(plan: &Plan, stair: &Stair) -> Result<Plan, String> {
    let Stair { to, steps, lasts } = *stair;
    if to.0 <= NOMINAL || to.0 > 1_000 * NOMINAL {
        return Err(format!("the last step of {to} is not above 1x, or above 1000x"));
    }
    if !(2..=100).contains(&steps) {
        return Err(format!("{steps} steps; from 2 to 100 can be told apart"));
    }
    if lasts.0 < Duration::from_secs(1) || lasts.0 > Duration::from_secs(3600) {
        return Err(format!("steps of {lasts}; from 1s to 1h make a measurement"));
    }
    let span = |name: &str, kind, start, end, measure| Phase {
        name: name.into(),
        kind,
        start,
        end,
        measure,
        steady: measure && kind != PhaseKind::Verify,
    };
    let end = |number: u32| WARMUP + lasts.0 * number;
    let mut phases =
        vec![span("warmup", PhaseKind::Warmup, Duration::ZERO, PhaseEnd::At(WARMUP), false)];
    let mut pieces = vec![];
    for number in 0..steps {
        let kind = if number == 0 { PhaseKind::Baseline } else { PhaseKind::Other };
        let name = format!("step-{}", number + 1);
        phases.push(span(&name, kind, end(number), PhaseEnd::At(end(number + 1)), true));
        let part = f64::from(number) / f64::from(steps - 1);
        let rate = (f64::from(NOMINAL) * (f64::from(to.0) / f64::from(NOMINAL)).powf(part)).round();
        let rate = rate as u32;
        pieces.push(Piece { at: Micros::after(end(number)), from: rate, to: rate });
    }
    let stop = end(steps);
    pieces.push(Piece { at: Micros::after(stop), from: NOMINAL, to: NOMINAL });
    let latest = stop + QUIESCE_MAX;
    phases.push(span("verify", PhaseKind::Verify, stop, PhaseEnd::Quiesced { latest }, true));
    let mut asked = Plan {
        scenario: format!("{}-capacity", plan.scenario),
        phases,
        windows: vec![],
        gates: vec![],
        ..plan.clone()
    };
    asked.source.written.windows.clear();
    asked.fleets.values_mut().filter(|fleet| !fleet.probe).for_each(|fleet| {
        fleet.load = Load(pieces.clone());
    });
    let readings = readings(&asked);
    if readings > READINGS_MAX {
        return Err(format!(
            "{readings} readings would fall due, and at most {READINGS_MAX} can be kept and judged: take fewer or shorter steps, or a lower last one"
        ));
    }
    Ok(asked)
}

/// That fall due while assets send.
pub(crate) fn readings(plan: &Plan) -> u128 {
    let of_fleets = plan.fleets.values().flat_map(|fleet| {
        let sends = Warp::of(&fleet.load).nominal(Micros::after(plan.stop())).elapsed().as_nanos();
        let each = fleet.streams.iter().map(move |stream| sends / stream.every.as_nanos().max(1));
        each.map(|each| each * u128::from(fleet.assets))
    });
    of_fleets.sum()
}
