//! From the journal to windows with their proofs, episodes and planned changes.

use std::collections::{BTreeMap, BTreeSet};

use model::event::{Affected, Claim};
use model::{AssetRow, CellId, End, Event, Lever, NodeId, Plan, WindowId};

use super::{Index, Recorded, place};
use crate::facts::{Affects, Asset, Change, ChangeKind, Episode, NEVER, Proof, Us, Window};
use crate::format;

/// What the conductor did, in the words of [`crate::facts`].
pub(super) struct Timeline {
    pub(super) windows: Vec<Window>,
    pub(super) episodes: Vec<Episode>,
    pub(super) changes: Vec<Change>,
}

/// One window of the plan, as the journal tells it.
#[derive(Default)]
pub(super) struct Opened {
    asked: Option<Us>,
    pub(super) closed: Option<Us>,
    picked: BTreeSet<String>,
    pub(super) claims: BTreeSet<Claim>,
    affected: Affected,
    proven: BTreeSet<Claim>,
    /// Hits by lever and place; a link that two claims meet on counts once.
    hits: BTreeMap<(Lever, End, Option<End>), u64>,
    first: Option<Us>,
    missed: Option<String>,
    /// From each of these moments on, which windows hide everything that this one does.
    hidden: Vec<(Us, BTreeSet<WindowId>)>,
    /// Cells whose assets were picked themselves.
    cells: BTreeSet<CellId>,
    severed: BTreeSet<(CellId, NodeId)>,
}

pub(super) fn timeline(recorded: &Recorded<'_>, index: &Index, end: Us) -> Timeline {
    let opened = opened(recorded);
    let theta = model::Micros::after(recorded.plan.theta).0;
    let windows = recorded.plan.windows.iter().map(|w| window(w, &opened, theta, end)).collect();
    let groups = overlapping(&opened);
    let mut changes: Vec<Change> = phase_edges(recorded);
    for group in &groups {
        let last = group.iter().filter_map(|id| opened[*id].closed).max();
        for (i, id) in group.iter().enumerate() {
            let (asked, closed) = (opened[*id].asked, opened[*id].closed);
            changes.extend(asked.map(|t| Change {
                t,
                kind: ChangeKind::Fault,
                same_episode: i > 0,
            }));
            changes.extend(closed.map(|t| Change {
                t,
                kind: ChangeKind::Heal,
                same_episode: Some(t) != last,
            }));
        }
    }
    let episodes =
        groups.iter().filter_map(|group| episode(recorded, group, &opened, index)).collect();
    Timeline { windows, episodes, changes }
}

pub(super) fn opened(recorded: &Recorded<'_>) -> BTreeMap<WindowId, Opened> {
    let mut opened: BTreeMap<WindowId, Opened> =
        recorded.plan.windows.iter().map(|w| (w.id.clone(), Opened::default())).collect();
    for r in recorded.events {
        match &r.event {
            Event::FaultAsked { window, picked, claims, affected, severed, .. }
            | Event::FaultMoved { window, picked, claims, affected, severed, .. } => {
                let w = opened.entry(window.clone()).or_default();
                w.asked = w.asked.or(Some(r.at.0));
                w.picked.extend(picked.iter().flatten().map(ToString::to_string));
                w.claims.extend(claims.iter().cloned());
                w.affected.extend(affected);
                let cell = |end: &End| match end {
                    End::Node(_) => None,
                    End::Cell(name) => Some(name.clone()),
                };
                w.cells.extend(picked.iter().flatten().filter_map(cell));
                w.severed.extend(severed.iter().cloned());
            }
            Event::FaultClosed { window, .. } => {
                opened.entry(window.clone()).or_default().closed = Some(r.at.0)
            }
            Event::FaultMissed { window, why } => {
                opened.entry(window.clone()).or_default().missed = Some(why.clone())
            }
            Event::FaultHidden { window, by } => {
                opened.entry(window.clone()).or_default().hidden.push((r.at.0, by.clone()));
            }
            Event::Proven { window, claim, link, count, first, .. } if *count > 0 => {
                let w = opened.entry(window.clone()).or_default();
                w.proven.insert(claim.clone());
                let place = link
                    .as_ref()
                    .map_or((claim.end.clone(), None), |l| (l.from.clone(), Some(l.to.clone())));
                let hits = w.hits.entry((claim.lever, place.0, place.1)).or_default();
                *hits = (*hits).max(*count);
                w.first = Some(w.first.map_or(first.0, |t| t.min(first.0)));
            }
            _ => {}
        }
    }
    opened
}

/// With its proof: one claim that bit shows that the window did. What other proven windows hid of its time needs no proof of its own;
/// what is left of it does, if it is longer than theta.
fn window(
    planned: &model::plan::Window,
    opened: &BTreeMap<WindowId, Opened>,
    theta: Us,
    end: Us,
) -> Window {
    let w = &opened[&planned.id];
    let share = format!("{} of {} claims proven", w.proven.len(), w.claims.len());
    let (proof, why) = match (&w.missed, w.asked) {
        (Some(why), _) => (Proof::Unproven, why.clone()),
        (_, None) => (Proof::Unproven, "it never opened".to_owned()),
        _ if !w.proven.is_empty() => (Proof::Proven, share),
        (_, Some(asked)) => {
            let (by, seen) = w.unhidden(opened, (asked, w.closed.unwrap_or(end)));
            let by: Vec<String> = by.iter().map(|id| format!("`{id}`")).collect();
            let by = by.join(", ");
            match (by.is_empty(), seen <= theta) {
                (true, _) => (Proof::Unproven, share),
                (false, true) => (Proof::Masked, format!("{by} does the same at the same time")),
                (false, false) => {
                    let seen = format::duration(seen);
                    (Proof::Unproven, format!("{share}, and {by} hides it for all but {seen}"))
                }
            }
        }
    };
    Window {
        id: planned.id.to_string(),
        kind: planned.fault.kind.clone(),
        asked: w.asked.unwrap_or(NEVER),
        effect: w.first,
        healed: w.closed,
        picked: w.picked.iter().cloned().collect(),
        proof,
        count: w.hits.values().sum(),
        why,
    }
}

impl Opened {
    fn span(&self) -> (Us, Us) {
        (self.asked.unwrap_or(NEVER), self.closed.unwrap_or(NEVER))
    }

    fn is_proven(&self) -> bool {
        !self.proven.is_empty()
    }

    /// Proven windows that hid this one, and for how long none of them did.
    fn unhidden<'a>(
        &'a self,
        opened: &BTreeMap<WindowId, Opened>,
        (from, to): (Us, Us),
    ) -> (BTreeSet<&'a WindowId>, Us) {
        let is_proven = |id: &&WindowId| opened.get(*id).is_some_and(Opened::is_proven);
        let (mut by, mut seen, mut last) = (BTreeSet::new(), to - from, None);
        for (at, hiding) in
            self.hidden.iter().map(|(at, hiding)| (*at, Some(hiding))).chain([(to, None)])
        {
            if let Some(since) = last {
                seen -= at.min(to) - since;
            }
            let proven: Vec<&WindowId> = hiding.into_iter().flatten().filter(is_proven).collect();
            last = (!proven.is_empty()).then_some(at.max(from));
            by.extend(proven);
        }
        (by, seen)
    }
}

/// Windows that were open together, in order of their opening; touching ones are apart.
fn overlapping(opened: &BTreeMap<WindowId, Opened>) -> Vec<Vec<&WindowId>> {
    let mut order: Vec<(&WindowId, (Us, Us))> =
        opened.iter().filter(|(_, o)| o.asked.is_some()).map(|(id, o)| (id, o.span())).collect();
    order.sort_by_key(|(_, span)| *span);
    let (mut groups, mut until): (Vec<Vec<&WindowId>>, Us) = (Vec::new(), Us::MIN);
    for (id, (asked, closed)) in order {
        match groups.last_mut() {
            Some(group) if asked < until => group.push(id),
            _ => groups.push(vec![id]),
        }
        until = until.max(closed);
    }
    groups
}

/// `None` for one without any proven effect: there is nothing to measure from.
fn episode(
    recorded: &Recorded<'_>,
    group: &[&WindowId],
    opened: &BTreeMap<WindowId, Opened>,
    index: &Index,
) -> Option<Episode> {
    let mine = || group.iter().map(|id| &opened[*id]);
    let t_effect = mine().filter_map(|o| o.first).min()?;
    let open = mine().any(|o| o.closed.is_none());
    let (mut regions, mut shards) = (BTreeSet::new(), BTreeSet::new());
    for (service, parts) in mine().flat_map(|o| &o.affected.0) {
        let Some(at) = index.service(service) else { continue };
        let known = parts.regions.iter().filter_map(|r| place(&index.regions, r.as_str()));
        regions.extend(known.map(|region| (at, region)));
        shards.extend(parts.shards.iter().filter_map(|shard| index.shard(service, shard)));
    }
    let cells: BTreeSet<&CellId> = mine().flat_map(|o| &o.cells).collect();
    let declared = !regions.is_empty()
        || !shards.is_empty()
        || !cells.is_empty()
        || mine().all(|o| roles_known(recorded, o));
    // A window that was never shown to bite took nobody's path away.
    let proven = mine().filter(|o| o.is_proven());
    let severed: BTreeSet<&(CellId, NodeId)> = proven.flat_map(|o| &o.severed).collect();
    let which = |fits: &dyn Fn(&AssetRow) -> bool| {
        let fit = in_order(recorded).into_iter().enumerate().filter(|(_, asset)| fits(asset));
        fit.map(|(index, _)| index).collect()
    };
    Some(Episode {
        t_effect,
        t_heal: if open { None } else { mine().filter_map(|o| o.closed).max() },
        affected: declared.then(|| Affects {
            regions: regions.into_iter().collect(),
            shards: shards.into_iter().collect(),
            assets: which(&|asset| cells.contains(&asset.cell)),
        }),
        windows: group.iter().map(ToString::to_string).collect(),
        cut_off: which(&|asset| is_cut_off(recorded.plan, asset, &severed)),
    })
}

/// Whether somebody was known to lead when the window opened: then a window that hits no leader and no whole region declares to hit
/// nobody, instead of not knowing whom.
fn roles_known(recorded: &Recorded<'_>, o: &Opened) -> bool {
    let nodes = &recorded.plan.topology.nodes;
    let hit: BTreeSet<_> = o
        .picked
        .iter()
        .filter_map(|name| nodes.get(name.as_str()))
        .flat_map(|node| &node.services)
        .collect();
    let led = |r: &model::Record| match &r.event {
        Event::RoleChanged { service, role, .. } => {
            hit.contains(service) && role.kind.leads() && Some(r.at.0) < o.asked
        }
        _ => false,
    };
    recorded.events.iter().any(led)
}

fn phase_edges(recorded: &Recorded<'_>) -> Vec<Change> {
    let starts = recorded.plan.phases.iter().skip(1).map(|p| model::Micros::after(p.start).0);
    starts.map(|t| Change { t, kind: ChangeKind::Phase, same_episode: false }).collect()
}

/// Whether nothing passes between an asset and any node of its service, in its home region and in those that its fleet may go to.
fn is_cut_off(plan: &Plan, asset: &AssetRow, severed: &BTreeSet<&(CellId, NodeId)>) -> bool {
    let Some(fleet) = plan.fleets.get(&asset.fleet) else { return false };
    let mut nodes = plan.ways(fleet, &asset.home).peekable();
    nodes.peek().is_some()
        && nodes.all(|node| severed.contains(&(asset.cell.clone(), node.clone())))
}

/// The assets in the order of their ids: their indices in [`crate::facts`].
fn in_order<'a>(recorded: &'a Recorded<'_>) -> Vec<&'a AssetRow> {
    let mut assets: Vec<&AssetRow> = recorded.known_assets().collect();
    assets.sort_by_key(|asset| asset.asset);
    assets
}

/// Assets in the order of their ids.
pub(super) fn assets(recorded: &Recorded<'_>, index: &Index, end: Us) -> Vec<Asset> {
    let one = |a: &AssetRow| {
        let home = place(&index.regions, a.home.as_str()).expect("the index holds every home");
        Asset {
            id: a.asset,
            fleet: index.fleet(&a.fleet).expect("the index holds every fleet of the plan"),
            region: home,
            home,
            contact: contact(recorded, a, end),
            probe: a.probe,
        }
    };
    in_order(recorded).into_iter().map(one).collect()
}

/// The passes of an asset's access link, up to the end of the run; empty for one that is never down.
fn contact(recorded: &Recorded<'_>, asset: &AssetRow, end: Us) -> Vec<(Us, Us)> {
    let track = recorded.plan.topology.cells.get(&asset.cell).map(|cell| &cell.track);
    let Some(track) = track.filter(|track| track.slots.iter().any(|slot| !slot.up)) else {
        return Vec::new();
    };
    let spans = track.contacts(recorded.plan.latest_end());
    let us = |at| model::Micros::after(at).0.min(end);
    let spans: Vec<(Us, Us)> = spans
        .into_iter()
        .map(|(aos, los)| (us(aos), us(los)))
        .filter(|(aos, los)| aos < los)
        .collect();
    // No span at all would mean always; this one is never.
    if spans.is_empty() { vec![(end, end)] } else { spans }
}
