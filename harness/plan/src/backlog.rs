//! What piles up on assets while a fault lasts: readings of those that find no other way to their service. The others take it, and
//! nothing waits for the heal.

use std::{collections::BTreeSet, time::Duration};

use model::{
    Conditions, Micros, Plan, RegionId,
    plan::{Fleet, Window},
};

use crate::{
    blast_radius,
    catalogs::Catalogs,
    due::Due,
    windows::{earliest_open, latest_close},
};

/// How many readings at most, with what other windows take away meanwhile.
pub(crate) fn of(window: &Window, due: &Due<'_>, catalogs: &Catalogs) -> u64 {
    let plan = due.plan;
    let span = |window: &Window| (earliest_open(window), latest_close(window));
    let (from, to) = span(window);
    let edges: BTreeSet<Duration> = plan
        .windows
        .iter()
        .flat_map(|window| [earliest_open(window), latest_close(window)])
        .filter(|at| (from..=to).contains(at))
        .collect();
    let edges: Vec<Duration> = edges.into_iter().collect();
    let between = edges.windows(2).map(|edges| {
        let open = plan.windows.iter().filter(|other| {
            let (opens, closes) = span(other);
            opens <= edges[0] && edges[1] <= closes
        });
        let worlds = open.filter_map(|window| blast_radius::world(window, plan, catalogs));
        let world = worlds.fold(Conditions::default(), |both, world| both.and(&world));
        let counted = due.required(&[(Micros::after(edges[0]), Micros::after(edges[1]))]);
        let waits = counted.iter().filter(|counted| {
            let fleet = plan.fleets.get(counted.fleet);
            fleet.is_some_and(|fleet| is_stranded(fleet, counted.home, &world, plan))
        });
        waits.map(|counted| counted.readings).sum::<u64>()
    });
    between.sum()
}

/// Whether nothing passes between the assets of a home and any node of their service, there and where they may go.
fn is_stranded(fleet: &Fleet, home: &RegionId, world: &Conditions, plan: &Plan) -> bool {
    let cell = fleet.cells.get(home);
    cell.is_some_and(|cell| plan.ways(fleet, home).all(|node| world.cuts_off(cell, node)))
}
