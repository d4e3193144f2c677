//! What a stack carries, from a run whose load goes up in steps: each steady phase is one.

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, NEVER, Phase, SECOND, Us};
use crate::intervals::{length, nearest_rank, overlap};
use crate::reading::Reading;

/// Share of the due readings that a step must carry in time.
const GOODPUT_MIN: f64 = 0.99;
/// The ack's p99 may always be this much above that of the first step: less is noise of a machine.
const NOISE: Us = 10_000;
/// A generator that is late by more than this share of the limit of p99 measures itself.
const LATE: Us = 10;

/// mu and its knee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    pub steps: Vec<Step>,
    /// Readings per second of the last step that held before the first one that did not; None where the first did not.
    pub mu: Option<f64>,
    /// Number of the first step that did not hold, from zero; None where all held, and mu is a lower bound.
    pub knee: Option<usize>,
    /// No step may be slower at p99, in microseconds.
    pub p99_max: Us,
    /// Why the generator, and not the stack, may have been at its limit; empty where nothing says so.
    pub generator: Vec<String>,
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// Readings due per second.
    pub due_per_s: f64,
    /// Of them acked in time.
    pub good_per_s: f64,
    pub due: u64,
    pub good: u64,
    /// Of the ack, in microseconds; None where more than one in a hundred was never acked, or nothing was due.
    pub p99: Option<Us>,
    /// Whether it carries enough of what is due, soon enough.
    pub holds: bool,
}

/// A step holds if 99 % of what is due is acked in time and the ack's p99 is at most `factor` times that of the first step.
#[must_use]
pub fn capacity(facts: &Facts, factor: f64) -> Capacity {
    let mut steps: Vec<Step> =
        facts.phases.iter().filter(|phase| phase.steady).map(|phase| step(facts, phase)).collect();
    let first = steps.first().and_then(|step| step.p99).unwrap_or(0);
    let p99_max = ((first as f64 * factor) as Us).max(first + NOISE);
    for step in &mut steps {
        let soon = step.p99.is_some_and(|p99| p99 <= p99_max);
        step.holds = soon && step.good as f64 >= GOODPUT_MIN * step.due as f64;
    }
    let knee = steps.iter().position(|step| !step.holds);
    let last = knee.unwrap_or(steps.len()).checked_sub(1);
    let mu = last.map(|last| steps[last].due_per_s);
    let generator = generator(facts, p99_max);
    Capacity { steps, mu, knee, p99_max, generator }
}

fn step(facts: &Facts, phase: &Phase) -> Step {
    let asked: Vec<&Reading> = facts.in_phase(phase).filter(|r| r.live()).collect();
    let mut waits: Vec<Us> = asked.iter().map(|r| r.ack_latency()).collect();
    waits.sort_unstable();
    let (due, good) = (asked.len() as u64, asked.iter().filter(|r| facts.good(r)).count() as u64);
    let seconds = (phase.end - phase.start).max(1) as f64 / SECOND as f64;
    Step {
        name: phase.name.clone(),
        due_per_s: due as f64 / seconds,
        good_per_s: good as f64 / seconds,
        due,
        good,
        p99: nearest_rank(&waits, 0.99).filter(|p99| *p99 < NEVER),
        holds: false,
    }
}

/// Signs that what was found is the limit of the generator or of the machine.
fn generator(facts: &Facts, p99_max: Us) -> Vec<String> {
    let mut signs = vec![];
    let mut say = |sign: String| signs.push(sign);
    if let Some(why) = &facts.happened.broke_off {
        say(format!("the run broke off: {why}"));
    }
    let allowed = u64::try_from(p99_max / LATE).unwrap_or(0);
    let late = |us: u64| crate::format::duration(Us::try_from(us).unwrap_or(NEVER));
    if let Some(health) = &facts.happened.health {
        for (what, lag) in [
            ("readings were sent", health.schedule_lag_p99_us_of_latest()),
            ("its sending loop was", health.loop_lag_p99_us_of_latest()),
        ] {
            if lag > allowed {
                let (lag, allowed) = (late(lag), late(allowed));
                say(format!(
                    "{what} late by {lag} at p99, more than a tenth of what a step is judged by ({allowed})"
                ));
            }
        }
        if let Some((error, times)) = health.local_errors.iter().next() {
            say(format!("this machine refused the harness something ({error:?}, {times} times)"));
        }
    }
    let all: Vec<(Us, Us)> = facts
        .phases
        .iter()
        .filter(|phase| phase.steady)
        .map(|phase| (phase.start, phase.end))
        .collect();
    let still = length(&overlap(&facts.happened.standstills, &all));
    if still * 100 > length(&all) {
        say(format!("the harness stood still for {}", crate::format::duration(still)));
    }
    signs
}

#[cfg(test)]
mod tests {
    use model::ledger::Fate;

    use super::*;
    use crate::facts::{Asset, Stream};

    /// Steps of ten seconds with 100, 200, 300 ... readings a second; those of a step wait as long as its number says.
    fn facts(waits: &[Us]) -> Facts {
        let (mut readings, mut phases) = (vec![], vec![]);
        for (number, wait) in (0..).zip(waits) {
            let (start, count) = (number * 10 * SECOND, (number + 1) * 1_000);
            phases.push(Phase {
                name: format!("step-{}", number + 1),
                start,
                end: start + 10 * SECOND,
                steady: true,
                baseline: number == 0,
            });
            for i in 0..count {
                let due = start + i * 10 * SECOND / count;
                let is_lost = *wait == NEVER && i % 20 == 0;
                readings.push(Reading {
                    asset: 0,
                    stream: 0,
                    attempts: 1,
                    boot: 1,
                    fate: if is_lost { Fate::Pending } else { Fate::Acked },
                    seq: readings.len() as u64,
                    t_gen: due,
                    t_ready: due,
                    sent_first: due,
                    sent_last: due,
                    t_acked: if is_lost { NEVER } else { due + (*wait).min(5_000) },
                    ack_pos: -1,
                    acked_by: u16::MAX,
                });
                if *wait < NEVER {
                    readings.last_mut().expect("just pushed").t_acked = due + wait;
                }
            }
        }
        Facts {
            end: waits.len() as Us * 10 * SECOND + 60 * SECOND,
            stop: waits.len() as Us * 10 * SECOND,
            theta: SECOND,
            fleets: vec![Default::default()],
            assets: vec![Asset::default()],
            streams: vec![Stream {
                name: "status".into(),
                fleet: 0,
                number: 0,
                period: SECOND,
                load: model::load::Warp::default(),
                required: true,
                gated: true,
            }],
            phases,
            readings,
            ..Facts::default()
        }
    }

    #[test]
    fn the_knee_is_the_first_step_that_is_slow_or_loses() {
        let slow = capacity(&facts(&[5_000, 6_000, 7_000, 60_000, 5_000]), 4.0);
        assert_eq!((slow.knee, slow.mu, slow.p99_max), (Some(3), Some(300.0), 20_000));
        let loses = capacity(&facts(&[5_000, 6_000, NEVER]), 4.0);
        assert_eq!((loses.knee, loses.mu), (Some(2), Some(200.0)));
        assert_eq!(loses.steps[2].p99, None);
        let late = capacity(&facts(&[5_000, 2 * SECOND]), 1_000.0);
        assert_eq!((late.knee, late.mu, late.steps[1].good), (Some(1), Some(100.0), 0));
    }

    #[test]
    fn without_a_knee_it_is_a_lower_bound_and_without_a_first_step_nothing() {
        let all = capacity(&facts(&[5_000, 6_000]), 4.0);
        assert_eq!((all.knee, all.mu), (None, Some(200.0)));
        let none = capacity(&facts(&[2 * SECOND, 5_000]), 4.0);
        assert_eq!((none.knee, none.mu), (Some(0), None));
        assert_eq!(capacity(&Facts::default(), 4.0).mu, None);
    }
}
