//! Section 2: outages of streams and assets. Deliberately absent: shares of the fleet (`share`).

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Us};
use crate::intervals::{length, overlap, union};
use crate::reading::Reading;

/// What outages are made of: live, decided, `ack: required`; in order of `t_ready`.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    pub(crate) asset: usize,
    pub(crate) stream: usize,
    pub(crate) readings: Vec<&'a Reading>,
}

/// One outage, before it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) start: Us,
    pub(crate) end: Us,
    /// It touches the end of the run: at least this long, never recovered.
    pub(crate) censored: bool,
}

/// One outage in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    pub start: Us,
    /// `None`: never recovered.
    pub end: Option<Us>,
    pub censored: bool,
    /// Time of it in contact.
    pub length: Us,
}

/// Outages of one asset and stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOutage {
    pub asset: u32,
    pub stream: String,
    pub outage: Outage,
}

/// Consecutive good readings that end an outage.
const RECOVERED: usize = 3;

/// Every (asset, stream) that has judged readings, in order of identity.
pub(crate) fn judged(facts: &Facts) -> Vec<Series<'_>> {
    let keep = |r: &&Reading| r.live() && facts.required(r) && !facts.undecided(r);
    let series = facts.groups().map(|(_, group)| {
        let mut readings: Vec<&Reading> = group.iter().filter(keep).collect();
        readings.sort_by_key(|r| (r.t_ready, r.boot, r.seq));
        Series { asset: group[0].asset as usize, stream: usize::from(group[0].stream), readings }
    });
    series.filter(|s| !s.readings.is_empty()).collect()
}

/// From `t_ready` of the first not-good reading to `t_acked` of the first of three consecutive good ones.
pub(crate) fn stream_outages(facts: &Facts, series: &[&Reading]) -> Vec<Out> {
    let (mut spans, mut start, mut streak) = (Vec::new(), None, Vec::new());
    for r in series {
        if !facts.good(r) {
            start = start.or(Some(r.t_ready));
            streak.clear();
            continue;
        }
        streak.push(r.t_acked);
        if streak.len() == RECOVERED
            && let Some(a) = start.take()
        {
            spans.push((a, streak[0]));
        }
    }
    spans.extend(start.map(|a| (a, facts.end)));
    let censored = |b| start.is_some() && b == facts.end;
    union(spans).into_iter().map(|(a, b)| Out { start: a, end: b, censored: censored(b) }).collect()
}

/// Outages per asset, by index: an asset is out while any gated stream is.
pub(crate) fn asset_outages<'a>(
    facts: &Facts,
    series: impl IntoIterator<Item = &'a Series<'a>>,
) -> Vec<Vec<Out>> {
    let mut out: Vec<Vec<Out>> = vec![Vec::new(); facts.assets.len()];
    for s in series.into_iter().filter(|s| facts.streams[s.stream].gated) {
        out[s.asset].extend(stream_outages(facts, &s.readings));
    }
    for parts in out.iter_mut().filter(|parts| !parts.is_empty()) {
        let joined = union(parts.iter().map(|o| (o.start, o.end)).collect());
        let censored = |b: Us| parts.iter().any(|o| o.censored && o.end == b);
        *parts = joined
            .into_iter()
            .map(|(a, b)| Out { start: a, end: b, censored: censored(b) })
            .collect();
    }
    out
}

/// The outage clock: time of the span in contact.
pub(crate) fn in_contact(facts: &Facts, asset: usize, start: Us, end: Us) -> Us {
    length(&overlap(&[(start, end)], &facts.contact(asset)))
}

/// As it stands in the document.
pub(crate) fn shown(facts: &Facts, asset: usize, o: &Out) -> Outage {
    let length = in_contact(facts, asset, o.start, o.end);
    Outage { start: o.start, end: (!o.censored).then_some(o.end), censored: o.censored, length }
}
