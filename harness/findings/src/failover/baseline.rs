//! Back to baseline: the first window of the affected assets that is like before and begins nine of ten like before.

use std::collections::BTreeSet;

use model::ledger::Fate;
use serde::{Deserialize, Serialize};

use super::Reached;
use crate::facts::{Episode, Facts, NEVER, SECOND, Us};
use crate::intervals::nearest_rank;
use crate::reading::Reading;

/// A window needs this many readings: with 50 a simulated drill was called recovered 62 % of the time while twice as slow.
const READINGS: usize = 200;
const WIDEST: Us = 10 * SECOND;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackToBaseline {
    pub reached: Reached,
    /// Start of the window, since the effect.
    pub value: Option<Us>,
    /// Width of the windows, one for the run.
    pub width: Option<Us>,
}

/// p99 and p50 of the waits, and the good readings, of one window: how many, or under a load that changes, their share of those due.
type Figures = (Us, Us, f64);

pub(crate) fn back_to_baseline(
    facts: &Facts,
    e: &Episode,
    assets: &BTreeSet<usize>,
) -> BackToBaseline {
    let nothing = BackToBaseline { reached: Reached::NotDecidable, value: None, width: None };
    let Some((width, band)) = baseline_band(facts, e, assets) else { return nothing };
    let mine = facts.readings.iter().filter(|r| assets.contains(&(r.asset as usize)));
    let asked: Vec<&Reading> = mine.filter(|r| facts.required(r) && !facts.undecided(r)).collect();
    let backlog = Backlog::new(facts, &asked);
    let after: Vec<&Reading> = asked.into_iter().filter(|r| r.t_ready >= e.t_effect).collect();
    let windows = cut(&after, e.t_effect, facts.stop - facts.theta, width);
    let ends = (1..).map(|i| e.t_effect + i * width);
    let inside = |(rs, end): (&Vec<&Reading>, Us)| {
        rs.len() >= READINGS
            && figures(facts, rs).is_some_and(|f| band.holds(f))
            && backlog.at(end) == 0
    };
    let inside: Vec<bool> = windows.iter().zip(ends).map(inside).collect();
    if inside.len() < 10 {
        return nothing;
    }
    let found =
        inside.windows(10).position(|ten| ten[0] && ten.iter().filter(|x| **x).count() >= 9);
    let reached = if found.is_some() { Reached::Measured } else { Reached::BeyondObserved };
    BackToBaseline { reached, value: found.map(|i| i as Us * width), width: Some(width) }
}

/// What counts as like before.
struct Band {
    p99_max: f64,
    p50_max: f64,
    good_min: f64,
}

impl Band {
    fn holds(&self, (p99, p50, good): Figures) -> bool {
        time(p99) <= self.p99_max && time(p50) <= self.p50_max && good >= self.good_min
    }
}

/// `NEVER` is infinite here, so that a bound of it admits everything.
fn time(us: Us) -> f64 {
    if us == NEVER { f64::INFINITY } else { us as f64 }
}

/// The narrowest width at which every baseline window holds enough readings, and the band of those windows.
fn baseline_band(facts: &Facts, e: &Episode, assets: &BTreeSet<usize>) -> Option<(Us, Band)> {
    let steady = facts.baseline()?;
    let base: Vec<&Reading> =
        facts.in_phase(steady).filter(|r| assets.contains(&(r.asset as usize))).collect();
    let end = steady.end.min(e.t_effect - facts.theta);
    let enough = |width: &Us| {
        let windows = cut(&base, steady.start, end, *width);
        !windows.is_empty() && windows.iter().all(|w| w.len() >= READINGS)
    };
    let width = (1..=WIDEST / SECOND).map(|s| s * SECOND).find(enough)?;
    let windows: Vec<Figures> =
        cut(&base, steady.start, end, width).iter().filter_map(|w| figures(facts, w)).collect();
    let ranked = |of: fn(&Figures) -> f64, q| {
        let mut values: Vec<f64> = windows.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        nearest_rank(&values, q)
    };
    let band = Band {
        p99_max: 1.25 * ranked(|f| time(f.0), 0.95)?,
        p50_max: 1.25 * ranked(|f| time(f.1), 0.95)?,
        good_min: 0.95 * ranked(|f| f.2, 0.05)?,
    };
    Some((width, band))
}

/// Whole windows of the span, by `t_ready`.
fn cut<'a>(readings: &[&'a Reading], start: Us, end: Us, width: Us) -> Vec<Vec<&'a Reading>> {
    let mut windows = vec![Vec::new(); usize::try_from((end - start) / width).unwrap_or(0)];
    for r in readings {
        if let Some(window) = usize::try_from((r.t_ready - start).div_euclid(width))
            .ok()
            .and_then(|i| windows.get_mut(i))
        {
            window.push(*r);
        }
    }
    windows
}

fn figures(facts: &Facts, readings: &[&Reading]) -> Option<Figures> {
    let mut waits: Vec<Us> = readings.iter().map(|r| r.ack_latency()).collect();
    waits.sort_unstable();
    let good = readings.iter().filter(|r| r.live() && facts.good(r)).count() as f64;
    let good = if facts.has_load() { good / readings.len().max(1) as f64 } else { good };
    Some((nearest_rank(&waits, 0.99)?, nearest_rank(&waits, 0.5)?, good))
}

/// Readings that are ready for more than theta and have no outcome yet, as a function of time.
#[derive(Debug)]
pub(crate) struct Backlog {
    begins: Vec<Us>,
    ends: Vec<Us>,
}

impl Backlog {
    pub(crate) fn new(facts: &Facts, readings: &[&Reading]) -> Self {
        let waits = |r: &&&Reading| r.fate == Fate::Pending || r.t_acked < NEVER;
        let spans = readings
            .iter()
            .filter(waits)
            .map(|r| (r.t_ready + facts.theta, r.t_acked))
            .filter(|(a, b)| a < b);
        let (mut begins, mut ends): (Vec<Us>, Vec<Us>) = spans.unzip();
        begins.sort_unstable();
        ends.sort_unstable();
        Self { begins, ends }
    }

    pub(crate) fn at(&self, t: Us) -> usize {
        self.begins.partition_point(|a| *a < t) - self.ends.partition_point(|b| *b <= t)
    }
}
