//! The whole document: everything the run shows, before anybody demands anything.

use std::collections::BTreeMap;

use model::Identity;
use serde::{Deserialize, Serialize};

use crate::chart::{Charts, charts};
use crate::classes::{self, Class};
use crate::duplicates::{Duplicates, duplicates};
use crate::facts::{Episode, Facts, Happened, Observer, ObserverKind, SECOND, Us};
use crate::failover::affected::{Affected, affected, with_path};
use crate::failover::baseline::{BackToBaseline, back_to_baseline};
use crate::failover::rto::{MayStayOut, Rto, rto};
use crate::failover::service::{ServiceRto, rto_service};
use crate::failover::timeline::{Timeline, timeline};
use crate::freshness::{Freshness, TimeTravel, freshness, time_travel};
use crate::goodput::goodput;
use crate::latency::{self, Latency};
use crate::longest::{LongestBy, longest_by};
use crate::loss::{Loss, loss};
use crate::order::{Order, order};
use crate::outage::{
    Out, Outage, Series, StreamOutage, asset_outages, judged, shown, stream_outages,
};
use crate::outage_share::{Excursion, Integral, Step, share_out, windows, worst_uptime};
use crate::shards::{outages_by_shard, series_by_shard};

/// What the run shows. Times in microseconds on the harness clock; maps by name of phase, observer or region, or by `service/shard`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub start: Us,
    pub end: Us,
    pub stop: Us,
    pub theta: Us,
    /// Readings generated, sent or not.
    pub readings: u64,
    /// Attempts to send them.
    pub attempts: u64,
    /// Per observer that keeps every reading.
    pub classes: BTreeMap<String, BTreeMap<Class, u64>>,
    /// Readings too late in the run or contact to be judged.
    pub undecided: u64,
    /// The baseline can carry a verdict.
    pub baseline_fits: bool,
    /// By phase.
    pub ack_latency: BTreeMap<String, Latency>,
    /// By phase; diagnosis only.
    pub service_time: BTreeMap<String, Latency>,
    /// By observer that watches and keeps every reading, and phase.
    pub platform_latency: BTreeMap<String, BTreeMap<String, Latency>>,
    /// Good live readings per second.
    pub goodput: Vec<u32>,
    /// In order of asset and stream.
    pub outages: Vec<StreamOutage>,
    /// By asset id; only assets with an outage.
    pub asset_outages: BTreeMap<u32, Vec<Outage>>,
    /// U(t) of the fleet.
    pub u: Vec<Step>,
    /// Windows where U reaches a share.
    pub windows: BTreeMap<String, Vec<Excursion>>,
    /// Integral of U x N.
    pub asset_us_lost: Us,
    /// Ids of the assets still out at the end.
    pub stuck_assets: Vec<u32>,
    /// By width of the window.
    pub worst_uptime: BTreeMap<String, Option<f64>>,
    pub longest_outage: LongestBy,
    /// By observer.
    pub freshness: BTreeMap<String, Freshness>,
    /// By current-value observer.
    pub time_travel: BTreeMap<String, TimeTravel>,
    pub loss: Loss,
    /// By observer that keeps every reading.
    pub duplicates: BTreeMap<String, Duplicates>,
    /// By observer that keeps every reading.
    pub order: BTreeMap<String, Order>,
    /// Observations whose payload did not hold its checksum, by observer.
    pub corrupt: BTreeMap<String, Vec<Identity>>,
    pub episodes: Vec<EpisodeFindings>,
    pub happened: Happened,
    pub charts: Charts,
}

/// What one fault, or several that overlap, did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeFindings {
    pub t_effect: Us,
    pub t_heal: Option<Us>,
    pub windows: Vec<String>,
    pub affected: Affected,
    /// Good live readings per second of the affected assets.
    pub goodput_affected: Vec<u32>,
    /// Of the others.
    pub goodput_control: Vec<u32>,
    /// By share of the affected assets that may stay out.
    pub rto: BTreeMap<MayStayOut, Rto>,
    /// By `service/shard`, of every shard that acks readings.
    pub rto_service: BTreeMap<String, ServiceRto>,
    pub back_to_baseline: BackToBaseline,
    pub timeline: Timeline,
}

/// Finds everything. Pure; about linear in the readings.
#[must_use]
pub fn find(facts: &Facts) -> Findings {
    let series = judged(facts);
    let out = asset_outages(facts, &series);
    let u = share_out(facts, &out, facts.fleet());
    let keepers: Vec<(usize, &Observer)> =
        facts.observers.iter().enumerate().filter(|(_, o)| o.kind.keeps_everything()).collect();
    let shards = outages_by_shard(facts, &series, &out);
    let classed: Vec<(usize, Vec<Option<Class>>)> =
        keepers.iter().map(|(i, o)| (*i, classes::classes(facts, o))).collect();
    let kept = || keepers.iter().map(|(_, o)| *o);
    let forgetful = facts.observers.iter().filter(|o| !o.kind.keeps_everything());
    let widths = [("10s", 10), ("60s", 60), ("300s", 300)];
    let with_outage = facts.assets.iter().enumerate().filter(|(a, _)| !out[*a].is_empty());
    Findings {
        start: facts.start,
        end: facts.end,
        stop: facts.stop,
        theta: facts.theta,
        readings: facts.readings.len() as u64,
        attempts: facts.readings.iter().map(|r| u64::from(r.attempts)).sum(),
        classes: classed
            .iter()
            .map(|(o, c)| (facts.observers[*o].name.clone(), classes::counts(c)))
            .collect(),
        undecided: facts.readings.iter().filter(|r| facts.undecided(r)).count() as u64,
        baseline_fits: latency::baseline_fits(facts),
        ack_latency: latency::ack(facts),
        service_time: latency::service(facts),
        platform_latency: by_name(kept().filter(|o| o.kind != ObserverKind::ReadBack), |o| {
            latency::platform(facts, o)
        }),
        goodput: goodput(facts, &series, |a| !facts.assets[a].probe),
        outages: series.iter().flat_map(|s| outages_of(facts, s)).collect(),
        asset_outages: with_outage
            .map(|(a, asset)| (asset.id, out[a].iter().map(|o| shown(facts, a, o)).collect()))
            .collect(),
        windows: windows(&u),
        asset_us_lost: Integral::out(&u).upto(facts.end),
        stuck_assets: facts
            .fleet()
            .filter(|a| out[*a].iter().any(|o| o.censored))
            .map(|a| facts.assets[a].id)
            .collect(),
        worst_uptime: widths
            .iter()
            .map(|(name, s)| ((*name).to_owned(), worst_uptime(facts, &u, s * SECOND)))
            .collect(),
        longest_outage: longest_by(facts, &out, &shards),
        freshness: by_name(facts.observers.iter(), |o| freshness(facts, o)),
        time_travel: by_name(forgetful, |o| time_travel(facts, o)),
        loss: loss(facts, &classed),
        duplicates: by_name(kept(), |o| duplicates(facts, o)),
        order: by_name(kept(), |o| order(facts, o)),
        corrupt: by_name(facts.observers.iter(), |o| o.corrupt.clone()),
        episodes: facts.episodes.iter().map(|e| episode(facts, e, &series, &out)).collect(),
        happened: facts.happened.clone(),
        charts: charts(facts, &out, &shards),
        u,
    }
}

fn by_name<'a, T>(
    observers: impl Iterator<Item = &'a Observer>,
    of: impl Fn(&Observer) -> T,
) -> BTreeMap<String, T> {
    observers.map(|o| (o.name.clone(), of(o))).collect()
}

fn outages_of(facts: &Facts, s: &Series<'_>) -> Vec<StreamOutage> {
    let (asset, stream) = (facts.assets[s.asset].id, facts.streams[s.stream].name.clone());
    let one =
        |o: &Out| StreamOutage { asset, stream: stream.clone(), outage: shown(facts, s.asset, o) };
    stream_outages(facts, &s.readings).iter().map(one).collect()
}

fn episode(facts: &Facts, e: &Episode, series: &[Series<'_>], out: &[Vec<Out>]) -> EpisodeFindings {
    let hit = affected(facts, series, e);
    let judges = with_path(&hit, e);
    let u = share_out(facts, out, judges.iter().copied());
    let rtos: BTreeMap<MayStayOut, Rto> = MayStayOut::ALL
        .into_iter()
        .map(|share| (share, rto(facts, e, series, &u, &judges, share.basis_points())))
        .collect();
    let back = back_to_baseline(facts, e, &hit);
    EpisodeFindings {
        t_effect: e.t_effect,
        t_heal: e.t_heal,
        windows: e.windows.clone(),
        affected: Affected {
            declared: e.affected.is_some(),
            assets: hit.iter().map(|a| facts.assets[*a].id).collect(),
            with_path: judges.len() as u64,
        },
        goodput_affected: goodput(facts, series, |a| hit.contains(&a)),
        goodput_control: goodput(facts, series, |a| !facts.assets[a].probe && !hit.contains(&a)),
        rto_service: series_by_shard(facts, series)
            .into_iter()
            .map(|(shard, mine)| (facts.shard_name(shard), rto_service(facts, e, &mine)))
            .collect(),
        timeline: timeline(facts, e, &rtos[&MayStayOut::Nobody], &back),
        rto: rtos,
        back_to_baseline: back,
    }
}
