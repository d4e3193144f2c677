//! What each observer saw, and how far it got.

use std::collections::BTreeMap;

use model::plan::{Shows, read_back_of};
use model::{Event, ObserverId, ShardId};

use super::{Index, Recorded};
use crate::facts::{Observer, ObserverKind, Seen, Sightings};
use crate::reading::Reading;

/// Nobody could read the end of the shard: nothing there may be called lost.
const UNREAD: i64 = i64::MAX;

/// Those of the plan, each followed by what it read back after heal, where the run got that far.
pub(super) fn all(recorded: &Recorded<'_>, index: &Index, readings: &[Reading]) -> Vec<Observer> {
    let mut observers = Vec::new();
    for (name, plan) in &recorded.plan.observers {
        let kind = match plan.shows {
            Shows::Log if plan.of_record => ObserverKind::SystemOfRecord,
            Shows::Log | Shows::Replica => ObserverKind::Replica,
            Shows::CurrentValue => ObserverKind::CurrentValue,
        };
        observers.push(observer(recorded, index, readings, name, plan, kind));
        let back = read_back_of(name);
        if matches!(plan.shows, Shows::Log | Shows::Replica) && was_read_back(recorded, &back) {
            observers.push(observer(
                recorded,
                index,
                readings,
                &back,
                plan,
                ObserverKind::ReadBack,
            ));
        }
    }
    observers
}

/// Whether anything is known of the read-back, a failure included.
fn was_read_back(recorded: &Recorded<'_>, back: &ObserverId) -> bool {
    let told = |r: &model::Record| match &r.event {
        Event::ObserverPassed { observer, .. } | Event::ReadBackFailed { observer, .. } => {
            observer == back
        }
        _ => false,
    };
    recorded.sightings.get(back).is_some_and(|seen| !seen.is_empty())
        || recorded.events.iter().any(told)
}

fn observer(
    recorded: &Recorded<'_>,
    index: &Index,
    readings: &[Reading],
    name: &ObserverId,
    plan: &model::plan::Observer,
    kind: ObserverKind,
) -> Observer {
    let seen = recorded.sightings.get(name).map_or(&[][..], Vec::as_slice);
    let find = |id: &model::Identity| {
        let key = (index.asset(id.asset)?, index.stream(id.asset, id.stream)?, id.boot, id.seq);
        readings.binary_search_by_key(&key, |r| (r.asset, r.stream, r.boot, r.seq)).ok()
    };
    let position = |p: Option<u64>| p.and_then(|p| i64::try_from(p).ok());
    let whole = seen.iter().filter(|s| s.intact);
    let pairs = whole.filter_map(|s| {
        Some((
            u32::try_from(find(&s.identity)?).ok()?,
            Seen { t: s.at.0, at: position(s.position) },
        ))
    });
    let has_positions = seen.iter().any(|s| s.position.is_some());
    let shards = index.service(&plan.service).map_or(&[][..], |at| &index.services[at].shards);
    let (passed, head) = ends(recorded, shards, name, has_positions);
    Observer {
        name: name.to_string(),
        kind,
        service: index.service(&plan.service).expect("the index holds every observed service"),
        takes: (recorded.plan.fleets.keys()).map(|fleet| plan.fleets.contains(fleet)).collect(),
        region: super::place(&index.regions, plan.region.as_str()),
        poll: poll(plan),
        passed,
        head,
        corrupt: seen.iter().filter(|s| !s.intact).map(|s| s.identity).collect(),
        blind: blind(recorded, name),
        sightings: Sightings::new(readings.len(), pairs.collect()),
    }
}

/// Last position passed and the system's own end, per shard of the observed service. Without a word from the system, one that has positions is unread; one
/// without any is judged by its silence.
fn ends(
    recorded: &Recorded<'_>,
    shards: &[String],
    name: &ObserverId,
    has_positions: bool,
) -> (Option<Vec<i64>>, Vec<i64>) {
    let said = recorded.events.iter().rev().find_map(|r| match &r.event {
        Event::ObserverPassed { observer, last, end } if observer == name => Some((last, end)),
        _ => None,
    });
    let failed = recorded
        .events
        .iter()
        .any(|r| matches!(&r.event, Event::ReadBackFailed { observer, .. } if observer == name));
    let none = vec![-1; shards.len()];
    let Some((last, end)) = said.filter(|(last, end)| !last.is_empty() || !end.is_empty()) else {
        let unread = has_positions || failed || said.is_none();
        return (unread.then_some(none), vec![UNREAD; shards.len()]);
    };
    let by_shard = |of: &BTreeMap<ShardId, u64>, absent: i64| {
        let value = |shard: &String| {
            of.get(shard.as_str()).and_then(|p| i64::try_from(*p).ok()).unwrap_or(absent)
        };
        shards.iter().map(value).collect::<Vec<i64>>()
    };
    (
        Some(by_shard(last, -1)),
        if failed { vec![UNREAD; shards.len()] } else { by_shard(end, UNREAD) },
    )
}

fn blind(recorded: &Recorded<'_>, name: &ObserverId) -> Vec<(i64, i64)> {
    let mine = recorded.events.iter().filter_map(|r| match &r.event {
        Event::ObserverBlind { observer, from, to } if observer == name => Some((from.0, to.0)),
        _ => None,
    });
    mine.collect()
}

/// Observers that look now and then call it `poll`.
fn poll(plan: &model::plan::Observer) -> i64 {
    let every = plan.observer.params.get("poll").cloned();
    let every = every.and_then(|value| serde_json::from_value::<document::units::Time>(value).ok());
    every.map_or(0, |time| model::Micros::after(time.0).0)
}
