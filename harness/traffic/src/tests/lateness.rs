//! Whose wait it is: the generator's lateness is only what nobody else can have caused, and all of that.

use std::time::Duration;

use model::{LabEvent, Micros, Outcome, ledger::Fate, plan::ReplayOrder};

use super::{
    sample::{fleet, plan, stream},
    world::{Played, Reply, World, at, ms, play},
};

/// How late the generator says it was, at the most, and of how many readings it can say so.
fn late(played: &Played) -> (Duration, u64) {
    let lag = &played.report.schedule_lag();
    (Duration::from_micros(lag.max()), lag.len())
}

/// A runtime's tick.
const TICK: Duration = Duration::from_millis(1);

fn trouble(now: Micros) -> bool {
    (at(5_000)..at(9_000)).contains(&now)
}

/// While there is trouble; before and after it an ack in a millisecond.
fn replies(in_trouble: Reply) -> World {
    let ack = Reply::After(ms(1), Outcome::Acked);
    let replies = move |now| if trouble(now) { in_trouble } else { ack };
    World { replies: Box::new(move |heard| replies(heard.at)), ..World::default() }
}

/// One platform in trouble after the other. There are always some readings left that do not wait.
#[test]
fn what_waits_for_the_platform_is_not_the_generators_lateness() {
    type Troubled = fn() -> World;
    let troubles: [(&str, Troubled); 7] = [
        ("the answer before it", || replies(Reply::After(ms(900), Outcome::Acked))),
        ("an answer that never comes", || replies(Reply::Never)),
        ("a refusal", || replies(Reply::After(ms(1), Outcome::Refused))),
        ("an attempt that nobody knows of", || replies(Reply::After(ms(1), Outcome::Unknown))),
        ("a full connection", || World {
            takes: Box::new(|(now, _)| !trouble(now)),
            ..World::default()
        }),
        ("a door that is shut", || World {
            opens: Box::new(|knock| Some(!trouble(knock.at))),
            ..replies(Reply::Never)
        }),
        ("a long way in", || World {
            greets: Box::new(|knock| if trouble(knock.at) { ms(450) } else { Duration::ZERO }),
            ..replies(Reply::Never)
        }),
    ];
    let orders = [ReplayOrder::LiveFirst, ReplayOrder::OldestFirst, ReplayOrder::NewestFirst];
    for (name, world) in troubles {
        for (inflight, order) in [1, 3].into_iter().flat_map(|n| orders.map(|order| (n, order))) {
            let mut plan = plan(6, ms(15_000));
            let terminals = fleet(&mut plan);
            terminals.streams = vec![stream("status", ms(200))];
            terminals.connection.max_inflight = inflight;
            terminals.recorder.order = order;
            let (most, count) = late(&play(plan, world()));
            assert!(most <= TICK, "{name}, {inflight} under way, {order:?}: {most:?} late");
            assert!(count > 100, "{name}, {inflight} under way, {order:?}: {count} say it");
        }
    }
}

/// The loop stands for 4 s while everybody is idle, each answer is 5 ms on its way, and an asset waits 500 ms for its door and 2 s for an
/// answer.
fn stood() -> Played {
    let world = World {
        replies: Box::new(|_| Reply::After(ms(5), Outcome::Acked)),
        greets: Box::new(|_| ms(5)),
        stall: Some((at(5_000), ms(4_000))).into(),
        ..World::default()
    };
    let mut plan = plan(60, ms(15_000));
    fleet(&mut plan).streams = vec![stream("status", ms(200))];
    play(plan, world)
}

#[test]
fn a_standstill_is_the_generators_lateness_and_is_told() {
    let played = stood();
    let (most, _) = late(&played);
    assert!(most >= ms(3_800), "{most:?}");
    let standstills: Vec<(Micros, Micros)> = played
        .seen
        .iter()
        .filter_map(|stamped| match stamped.what {
            LabEvent::Standstill { from, to } => Some((from, to)),
            _ => None,
        })
        .collect();
    let [(from, to)] = standstills[..] else { panic!("once: {standstills:?}") };
    assert!(at(4_900) <= from && from <= at(5_010) && to.since(from) >= ms(4_000), "{from} {to}");
}

/// What was under way when the loop fell asleep has been answered long ago when it wakes: no deadline runs out over an answer that
/// nobody was there to read.
#[test]
fn nobody_loses_patience_while_the_loop_stands_still() {
    let played = stood();
    let rows = played.loaded.readings().expect("readings").rows;
    assert!(
        rows.iter().any(|row| row.attempts[0].sent > at(4_990) && row.attempts[0].sent < at(5_010))
    );
    for row in &rows {
        assert_eq!((row.fate, row.attempts.len()), (Fate::Acked, 1), "{row:?}");
    }
    assert!(played.world.abandoned.lock().expect("no panic").is_empty());
    assert_eq!(played.world.knocks.lock().expect("no panic").len(), 60, "each came in once");
}

/// Many connections are in the making when the loop falls asleep, with 500 ms each.
#[test]
fn nobody_gives_up_a_door_that_opened_meanwhile() {
    let world = World {
        greets: Box::new(|_| ms(400)),
        stall: Some((at(100), ms(4_000))).into(),
        ..World::default()
    };
    let played = play(plan(60, ms(15_000)), world);
    assert_eq!(played.world.knocks.lock().expect("no panic").len(), 60, "each came in once");
}
