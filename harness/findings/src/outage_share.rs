//! Section 2: U(t), the share of in-contact assets in outage, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Us};
use crate::intervals::overlap;
use crate::outage::Out;

/// From `t` on, `out` of the `here` assets in contact are in outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub t: Us,
    pub out: u32,
    pub here: u32,
}

/// A time with U above a share; `end` is `None` when still above at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excursion {
    pub start: Us,
    pub end: Option<Us>,
}

/// U(t) over these assets, as steps; equal neighbours are one.
pub(crate) fn share_out(
    facts: &Facts,
    out: &[Vec<Out>],
    assets: impl IntoIterator<Item = usize>,
) -> Vec<Step> {
    let mut changes: Vec<(Us, i64, i64)> = Vec::new();
    for asset in assets {
        let here = facts.contact(asset);
        changes.extend(here.iter().flat_map(|(a, b)| [(*a, 0, 1), (*b, 0, -1)]));
        let spans: Vec<_> = out[asset].iter().map(|o| (o.start, o.end)).collect();
        changes
            .extend(overlap(&spans, &here).into_iter().flat_map(|(a, b)| [(a, 1, 0), (b, -1, 0)]));
    }
    changes.sort_unstable_by_key(|c| c.0);
    let (mut steps, mut now): (Vec<Step>, (i64, i64)) = (Vec::new(), (0, 0));
    for at in changes.chunk_by(|a, b| a.0 == b.0) {
        now = at.iter().fold(now, |n, c| (n.0 + c.1, n.1 + c.2));
        let step = Step { t: at[0].0, out: now.0 as u32, here: now.1 as u32 };
        let same = steps.last().is_some_and(|l| (l.out, l.here) == (step.out, step.here));
        if step.t < facts.end && !same {
            steps.push(step);
        }
    }
    steps
}

/// Spans with U > phi (`strictly`) or U >= phi, phi in basis points so that shares compare exactly. With nobody in contact U keeps
/// its last value.
pub(crate) fn excursions(steps: &[Step], basis_points: u64, strictly: bool) -> Vec<Excursion> {
    let (mut spans, mut above): (Vec<Excursion>, bool) = (Vec::new(), false);
    for s in steps {
        let was = above;
        if s.here > 0 {
            let (share, limit) = (u64::from(s.out) * 10_000, basis_points * u64::from(s.here));
            above = if strictly { share > limit } else { share >= limit };
        }
        match spans.last_mut() {
            _ if above && !was => spans.push(Excursion { start: s.t, end: None }),
            Some(last) if was && !above => last.end = Some(s.t),
            _ => {}
        }
    }
    spans
}

/// Windows where U >= phi; `any` is U > 0.
pub(crate) fn windows(steps: &[Step]) -> BTreeMap<String, Vec<Excursion>> {
    let shares = [("1%", 100), ("10%", 1_000), ("50%", 5_000), ("100%", 10_000)];
    let mut windows: BTreeMap<_, _> = shares
        .iter()
        .map(|(name, bp)| ((*name).to_owned(), excursions(steps, *bp, false)))
        .collect();
    windows.insert("any".to_owned(), excursions(steps, 0, true));
    windows
}

/// Integral from the start of one column of U, as a function of time.
#[derive(Debug)]
pub(crate) struct Integral {
    /// `(t, total until t, rate from t)`.
    points: Vec<(Us, Us, Us)>,
}

impl Integral {
    /// Asset-microseconds in outage: the integral of U x N.
    pub(crate) fn out(steps: &[Step]) -> Self {
        Self::new(steps.iter().map(|s| (s.t, s.out)))
    }

    /// Asset-microseconds in contact.
    pub(crate) fn here(steps: &[Step]) -> Self {
        Self::new(steps.iter().map(|s| (s.t, s.here)))
    }

    fn new(rates: impl Iterator<Item = (Us, u32)>) -> Self {
        let mut points: Vec<(Us, Us, Us)> = Vec::new();
        for (t, rate) in rates {
            let total = points.last().map_or(0, |(then, total, rate)| total + rate * (t - then));
            points.push((t, total, Us::from(rate)));
        }
        Self { points }
    }

    pub(crate) fn upto(&self, t: Us) -> Us {
        let after = self.points.partition_point(|p| p.0 <= t);
        let Some((then, total, rate)) = after.checked_sub(1).map(|i| self.points[i]) else {
            return 0;
        };
        total + rate * (t - then)
    }
}

/// Worst `1 - time out / time in contact` in any window of this width; the worst one begins or ends at a step.
pub(crate) fn worst_uptime(facts: &Facts, steps: &[Step], width: Us) -> Option<f64> {
    let (out, here) = (Integral::out(steps), Integral::here(steps));
    let begins = steps.iter().flat_map(|s| [s.t, s.t - width]);
    let begins =
        begins.map(|t| t.max(facts.start).min(facts.end - width)).filter(|a| *a >= facts.start);
    let over = |f: &Integral, a: Us| f.upto(a + width) - f.upto(a);
    let uptime = begins
        .filter(|a| over(&here, *a) > 0)
        .map(|a| 1.0 - over(&out, a) as f64 / over(&here, a) as f64);
    uptime.reduce(f64::min)
}
