//! A connection that is full delays its own assets and nobody else's.

use std::time::Duration;

use super::{
    sample::{fleet, plan, stream},
    world::{Reply, World, at, ms, play},
};

/// Latencies of the acks of odd assets, which share a connection that is never full. That of the even ones is full from 5 s to 8 s
/// where `full` says so.
fn latencies_of_the_others(full: bool) -> Vec<Duration> {
    let mut plan = plan(12, ms(12_000));
    fleet(&mut plan).streams = vec![stream("fast", ms(100))];
    fleet(&mut plan).connection.max_inflight = 64;
    let full = move |now| full && (at(5_000)..at(8_000)).contains(&now);
    let world = World {
        takes: Box::new(move |(now, asset)| asset % 2 == 1 || !full(now)),
        replies: Box::new(|_| Reply::After(ms(5), model::Outcome::Acked)),
        ..World::default()
    };
    let played = play(plan, world);
    assert!(played.report.complete());
    let rows = played.loaded.readings().expect("readings").rows;
    let others = rows.iter().filter(|row| row.identity.asset % 2 == 1);
    let mut latencies: Vec<Duration> =
        others.map(|row| row.acked.expect("acked").since(row.ready)).collect();
    latencies.sort_unstable();
    latencies
}

#[test]
fn a_full_connection_delays_nobody_elses_assets() {
    let [without, with] = [false, true].map(|full| {
        let all = latencies_of_the_others(full);
        all[all.len() * 99 / 100]
    });
    assert!(with <= 2 * without, "p99 of the ack: {without:?} alone, {with:?} beside a full one");
}

/// A lane takes nothing for a while, then everybody's readings are lost at once: it is offered as much per asset of a large fleet as
/// of a small one.
#[test]
fn work_grows_with_the_fleet_and_not_with_its_square() {
    let offered = |assets: u32| {
        let mut plan = plan(assets, ms(9_000));
        fleet(&mut plan).connection.max_inflight = 64;
        let full = |now| (at(2_000)..at(5_000)).contains(&now);
        // Everybody's backlog of three seconds goes out at 5 s, and is never answered.
        let world = World {
            takes: Box::new(move |(now, _)| !full(now)),
            replies: Box::new(move |heard| {
                if (at(5_000)..at(7_000)).contains(&heard.at) {
                    Reply::Never
                } else {
                    Reply::After(ms(1), model::Outcome::Acked)
                }
            }),
            ..World::default()
        };
        let played = play(plan, world);
        assert!(played.report.complete());
        let all = *played.world.offered.lock().expect("no panic");
        all as f64 / f64::from(assets)
    };
    let (few, many) = (offered(50), offered(400));
    assert!(many <= 1.2 * few, "{few} offers per asset in a fleet of 50, {many} in one of 400");
}

/// Nobody is connected, so no reading shows that the loop stood for 1.3 s; the loop's own histogram does.
#[test]
fn the_loops_own_stall_is_counted_where_no_reading_shows_it() {
    let world = World {
        opens: Box::new(|_| Some(false)),
        stall: Some((at(5_000), ms(1_300))).into(),
        ..World::default()
    };
    let played = play(plan(3, ms(10_000)), world);
    let (schedule, own) = (&played.report.schedule_lag(), &played.report.loop_lag());
    assert_eq!(schedule.len(), 0);
    assert!((1_290_000..1_310_000).contains(&own.max()), "{}", own.max());
    // 1.3 of 70 seconds, and of the last hundredth of them the half.
    assert!(own.value_at_quantile(0.99) > 400_000, "{}", own.value_at_quantile(0.99));
    assert!(own.value_at_quantile(0.98) <= 2_000, "{}", own.value_at_quantile(0.98));
    assert!((69_000..75_000).contains(&own.len()), "{} milliseconds", own.len());
}
