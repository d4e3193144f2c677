//! Section 2: how old the newest visible reading is, and observers that show an older value after a newer one.

use model::{Identity, Micros};
use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Observer, Us};
use crate::intervals::{Span, length, overlap, union};
use crate::outage::Out;
use crate::reading::Reading;

/// Staleness of the fleet at one observer, until generation stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Freshness {
    /// Asset-microseconds stale.
    pub stale_asset_us: Us,
    /// Asset-microseconds in contact.
    pub contact_asset_us: Us,
    /// `1 - stale / in contact`; `None` with nobody in contact.
    pub availability: Option<f64>,
    /// Integral of (age - ideal age) over assets and streams, in square microseconds.
    pub excess_age_us2: f64,
    /// Longest that one asset was stale without a break.
    pub longest_stale_us: Us,
}

/// u(t), the newest `t_gen` seen, as `(from, to, u)`; before anything is seen u is the start of the run.
fn newest_seen(mut points: Vec<(Us, Us)>, start: Us, stop: Us) -> Vec<(Us, Us, Us)> {
    points.sort_unstable();
    let mut steps = vec![(start, start)];
    for (t, generated) in points {
        if t < stop && steps.last().is_some_and(|(_, u)| generated > *u) {
            steps.push((t, generated));
        }
    }
    let ends = steps.iter().skip(1).map(|(t, _)| *t).chain([stop]);
    steps.iter().zip(ends).map(|((a, u), b)| (*a, b, *u)).collect()
}

/// Integral of u(t) in square microseconds; wide, because one asset-hour is 10^19 of them.
fn integral(steps: &[(Us, Us, Us)]) -> i128 {
    steps.iter().map(|(a, b, u)| i128::from(b - a) * i128::from(*u)).sum()
}

/// When each asset was stale, by index, and the excess age. The stale clock restarts with each contact; any stale gated stream counts.
fn staleness(facts: &Facts, o: &Observer) -> (Vec<Vec<Span>>, i128) {
    let mut stale: Vec<Vec<Span>> = vec![Vec::new(); facts.assets.len()];
    let mut excess = 0i128;
    for (first, mine) in facts.groups() {
        let (asset, stream) = (mine[0].asset as usize, &facts.streams[usize::from(mine[0].stream)]);
        if facts.assets[asset].probe || !stream.gated || !facts.takes(o, &mine[0]) {
            continue;
        }
        let sightings = |(i, r): (usize, &Reading)| {
            o.sightings.of(first + i).iter().map(|s| (s.t, r.t_gen)).collect::<Vec<_>>()
        };
        let seen = newest_seen(
            mine.iter().enumerate().flat_map(sightings).collect(),
            facts.start,
            facts.stop,
        );
        let ideal = newest_seen(
            mine.iter().map(|r| (r.t_ready, r.t_gen)).collect(),
            facts.start,
            facts.stop,
        );
        excess += integral(&ideal) - integral(&seen);
        let patience = |since: Us| {
            let period = stream.load.interval(Micros(since), Micros(stream.period)).0;
            (period.saturating_mul(19) / 10).max(period.saturating_add(facts.slo))
        };
        let stale_from = |since: Us| since.saturating_add(patience(since));
        for (begin, los) in facts.contact(asset).iter() {
            let late = seen
                .iter()
                .map(|(a, b, u)| ((*a).max(stale_from((*u).max(*begin))), (*b).min(*los)));
            stale[asset].extend(late.filter(|(a, b)| a < b));
        }
    }
    (stale.into_iter().map(union).collect(), excess)
}

/// Staleness in the form of outages, so that recovery can be measured alike. What is stale when generation stops never recovered.
pub(crate) fn stale_outages(facts: &Facts, o: &Observer) -> Vec<Vec<Out>> {
    let out = |(a, b): (Us, Us)| {
        let censored = b >= facts.stop;
        Out { start: a, end: if censored { facts.end } else { b }, censored }
    };
    staleness(facts, o).0.into_iter().map(|spans| spans.into_iter().map(out).collect()).collect()
}

pub(crate) fn freshness(facts: &Facts, o: &Observer) -> Freshness {
    let (stale, excess) = staleness(facts, o);
    let lost = stale.iter().map(|spans| length(spans)).sum();
    let here = facts
        .fleet()
        .filter(|a| o.takes[facts.assets[*a].fleet])
        .map(|a| length(&overlap(&facts.contact(a), &[(facts.start, facts.stop)])))
        .sum();
    Freshness {
        stale_asset_us: lost,
        contact_asset_us: here,
        availability: (here > 0).then(|| 1.0 - lost as f64 / here as f64),
        excess_age_us2: excess as f64,
        longest_stale_us: stale.iter().flatten().map(|(a, b)| b - a).max().unwrap_or(0),
    }
}

/// Observations older than the newest that a current-value observer had shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeTravel {
    pub count: u64,
    pub assets: u64,
    /// The reading that was shown again, once per observation, in order of identity.
    pub gone_back: Vec<Identity>,
}

pub(crate) fn time_travel(facts: &Facts, o: &Observer) -> TimeTravel {
    let (mut gone_back, mut assets) = (Vec::new(), std::collections::BTreeSet::new());
    for (first, mine) in facts.groups().filter(|(_, mine)| !facts.is_probe(&mine[0])) {
        let sightings = mine
            .iter()
            .enumerate()
            .flat_map(|(i, r)| o.sightings.of(first + i).iter().map(move |s| (s.t, r.t_gen, r)));
        let mut sightings: Vec<_> = sightings.collect();
        sightings.sort_by_key(|(t, generated, _)| (*t, *generated));
        let mut newest = Us::MIN;
        for (_, generated, r) in sightings {
            if generated < newest {
                gone_back.push(facts.identity(r));
                assets.insert(r.asset);
            }
            newest = newest.max(generated);
        }
    }
    gone_back.sort();
    TimeTravel { count: gone_back.len() as u64, assets: assets.len() as u64, gone_back }
}
