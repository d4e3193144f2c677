//! Planned silence: what is recorded in it, when it is ready, and that nobody takes it for an outage.

use std::time::Duration;

use model::{
    LinkQuality, Micros, Outcome, Plan, Row, Slot, Track,
    ledger::Fate,
    plan::{OnFull, ReplayOrder},
    topology::Cell,
};

use super::{
    sample::{fleet, plan},
    world::{Played, Reply, World, at, ms, play},
};

/// Seconds in which east can be reached; west always can.
pub(super) fn passes(plan: &mut Plan, spans: &[(u64, u64)]) {
    let slot = |s, up| Slot { from: Duration::from_secs(s), quality: LinkQuality::default(), up };
    let mut slots: Vec<Slot> =
        spans.iter().flat_map(|(aos, los)| [slot(*aos, true), slot(*los, false)]).collect();
    if spans[0].0 > 0 {
        slots.insert(0, slot(0, false));
    }
    let (access, track) = (LinkQuality::default(), Track { slots });
    let base = [198, 19, 0, 0].into();
    let cell = Cell {
        region: "east".into(),
        fleet: Some("terminals".into()),
        base,
        prefix: 24,
        hosts: 4,
        access,
        track,
    };
    plan.topology.cells.insert("east/terminals".into(), cell);
}

/// A plan whose asset 10 lives in the east, and 12 in the west.
fn plan_with(spans: &[(u64, u64)], stop: Duration) -> Plan {
    let mut plan = plan(3, stop);
    passes(&mut plan, spans);
    plan
}

fn rows(played: &Played, asset: u32) -> Vec<Row> {
    let rows = played.loaded.readings().expect("readings").rows;
    rows.into_iter().filter(|row| row.identity.asset == asset).collect()
}

fn generated(played: &Played, row: &Row) -> Micros {
    let series = played
        .loaded
        .schedule
        .series(row.identity.asset, row.identity.stream)
        .expect("of the plan");
    series.at(row.identity.seq)
}

pub(super) fn in_span(t: Micros, from: u64, to: u64) -> bool {
    (at(from)..at(to)).contains(&t)
}

#[test]
fn silence_moves_the_moment_at_which_a_reading_is_ready() {
    let played = play(plan_with(&[(0, 10), (20, 60)], ms(40_000)), World::default());
    assert!(played.report.complete());
    let gap = 200_000; // five times the nominal rate of one reading per second
    let mut recorded = 0;
    for row in rows(&played, 10) {
        let generated = generated(&played, &row);
        assert_eq!(row.fate, Fate::Acked);
        if in_span(generated, 10_000, 20_000) {
            assert_eq!(row.ready, Micros(20_000_000 + recorded * gap), "{row:?}");
            assert!(row.stored && row.attempts[0].sent >= row.ready, "{row:?}");
            recorded += 1;
        } else {
            assert_eq!(row.ready, generated);
        }
        assert!(
            row.acked.is_some_and(|acked| acked.since(row.ready) < ms(50)),
            "silence is nobody's latency: {row:?}"
        );
    }
    assert!((9..=11).contains(&recorded), "{recorded}");
    let heard = played.heard();
    assert!(
        heard
            .iter()
            .filter(|heard| heard.envelope.identity.asset == 10)
            .all(|heard| !in_span(heard.at, 10_000, 20_000))
    );
    assert!(
        heard.iter().all(|heard| heard.at >= heard.envelope.generated),
        "the envelope says when it was generated"
    );
    assert!(
        rows(&played, 12).iter().all(|row| row.ready == generated(&played, row)),
        "west is always in contact"
    );
}

#[test]
fn an_asset_out_of_contact_tries_nothing_and_comes_at_once_when_it_is_back() {
    let played = play(plan_with(&[(5, 10), (20, 60)], ms(40_000)), World::default());
    let knocks: Vec<(Micros, String)> =
        played.knocks(10).into_iter().map(|knock| (knock.at, knock.region)).collect();
    assert_eq!(knocks, [(at(5_000), "east".to_owned()), (at(20_000), "east".to_owned())]);
    let first = rows(&played, 10)[0].clone();
    assert_eq!(first.ready, at(5_000), "the run began in silence");
}

/// East's platform hangs from 8 s on; signal is lost at 10 s and comes back at 20 s, the platform at 25 s. An asset that has seen a
/// timeout before 10 s knows; with a longer timeout what is under way then is cut off like anything else, and takes its turn.
#[test]
fn trouble_of_the_platform_moves_nothing() {
    for timeout in [500, 2000] {
        let mut plan = plan_with(&[(0, 10), (20, 90)], ms(60_000));
        fleet(&mut plan).failover.clear();
        fleet(&mut plan).connection.request_timeout = ms(timeout);
        let hangs = |heard: Micros| in_span(heard, 8_000, 25_000);
        let world = World {
            replies: Box::new(move |heard| {
                if hangs(heard.at) { Reply::Never } else { Reply::After(ms(1), Outcome::Acked) }
            }),
            ..World::default()
        };
        let played = play(plan, world);
        let rows = rows(&played, 10);
        let hung =
            rows.iter().filter(|row| in_span(generated(&played, row), 8_000, 10_000)).count();
        assert!(hung > 0);
        let mut turn = if timeout == 2000 { i64::try_from(hung).expect("a few") } else { 0 };
        for row in &rows {
            let generated = generated(&played, row);
            let moment = if in_span(generated, 10_000, 20_000) {
                Micros(20_000_000 + turn * 200_000)
            } else {
                generated
            };
            turn += i64::from(moment != generated);
            assert_eq!(row.ready, moment, "timeout {timeout}: {row:?}");
        }
        let late = rows
            .iter()
            .filter(|row| row.acked.is_none_or(|acked| acked.since(row.ready) > ms(1000)));
        assert!(
            late.clone().any(|row| in_span(generated(&played, row), 8_000, 9_000)),
            "an outage before the silence"
        );
        assert!(
            late.clone().any(|row| in_span(generated(&played, row), 20_000, 24_000)),
            "and the same one after it"
        );
    }
}

/// Answers take 700 ms: three or four readings are under way at each loss of signal, and go first when it is back.
#[test]
fn what_was_under_way_at_loss_of_signal_delays_no_silent_reading() {
    for order in [ReplayOrder::LiveFirst, ReplayOrder::OldestFirst, ReplayOrder::NewestFirst] {
        let mut plan = plan_with(&[(0, 10), (20, 30), (40, 90)], ms(60_000));
        let terminals = fleet(&mut plan);
        (terminals.streams[0].every, terminals.streams[0].jitter) = (ms(200), Duration::ZERO);
        (terminals.connection.max_inflight, terminals.recorder.order) = (64, order);
        let world = World {
            replies: Box::new(|_| Reply::After(ms(700), Outcome::Acked)),
            ..World::default()
        };
        let played = play(plan, world);
        assert!(played.report.complete());
        let rows = rows(&played, 10);
        for lost in [10_000, 30_000] {
            let cut: Vec<&Row> = rows
                .iter()
                .filter(|row| {
                    row.attempts.len() > 1 && in_span(row.attempts[0].sent, lost - 700, lost)
                })
                .collect();
            assert!((3..=4).contains(&cut.len()), "{order:?}: {cut:?}");
            assert!(
                cut.iter().all(|row| row.ready == generated(&played, row)),
                "{order:?}: {cut:?}"
            );
            let silent =
                rows.iter().filter(|row| in_span(generated(&played, row), lost, lost + 10_000));
            let late =
                silent.filter(|row| row.acked.expect("acked").since(row.ready) > ms(705)).count();
            assert_eq!(late, 0, "{order:?}, silence from {lost} on");
        }
    }
}

/// Failures of an asset that has lost its signal say nothing about its region.
#[test]
fn loss_of_signal_sends_nobody_to_another_region() {
    let mut plan = plan_with(&[(0, 10), (11, 20), (21, 90)], ms(40_000));
    fleet(&mut plan).connection.attempts = 1;
    let world =
        World { replies: Box::new(|_| Reply::After(ms(700), Outcome::Acked)), ..World::default() };
    let played = play(plan, world);
    assert!(played.report.complete());
    assert!(
        played
            .heard()
            .iter()
            .filter(|heard| heard.envelope.identity.asset == 10)
            .all(|heard| heard.region == "east")
    );
    let tried_again = rows(&played, 10).iter().filter(|row| row.attempts.len() > 1).count();
    assert!(tried_again > 0, "what was under way is unknown and goes again");
}

#[test]
fn a_pass_too_short_to_empty_the_recorder_leaves_the_rest_for_the_next() {
    for order in [ReplayOrder::LiveFirst, ReplayOrder::NewestFirst] {
        let mut plan = plan_with(&[(0, 1), (21, 23), (41, 90)], ms(60_000));
        fleet(&mut plan).recorder.order = order;
        let played = play(plan, World::default());
        assert!(played.report.complete());
        let mut silent: Vec<Row> = rows(&played, 10);
        silent.retain(|row| row.ready > generated(&played, row));
        silent.sort_by_key(|row| row.ready);
        assert!(silent.iter().all(|row| in_span(row.ready, 21_000, 23_000) || in_span(row.ready, 41_000, 60_000)), "{order:?}");
        let first: Vec<u64> = silent
            .iter()
            .filter(|row| in_span(row.ready, 21_000, 23_000))
            .map(|row| row.identity.seq)
            .collect();
        assert_eq!(first.len(), 10, "two seconds at five per second");
        assert!(first.is_sorted() != (order == ReplayOrder::NewestFirst), "{order:?}: {first:?}");
        assert!(silent.iter().all(|row| row.attempts[0].sent >= row.ready), "{order:?}");
        assert!(
            silent.iter().all(|row| row.acked.is_some_and(|acked| acked.since(row.ready) < ms(50))),
            "{order:?}"
        );
    }
}

#[test]
fn without_another_pass_nothing_is_sent_and_the_drain_does_not_wait() {
    let played = play(plan_with(&[(0, 10)], ms(30_000)), World::default());
    let rows = rows(&played, 10);
    for row in &rows {
        let silent = generated(&played, row) >= at(10_000);
        assert_eq!(row.fate, if silent { Fate::Pending } else { Fate::Acked }, "{row:?}");
        assert_eq!(
            (row.ready == at(90_000), row.attempts.is_empty()),
            (silent, silent),
            "never: the end of the plan"
        );
    }
    assert!(!played.report.complete(), "it says so");
    let last = played.loaded.counts.iter().map(|count| count.at).max();
    assert!(last < Some(at(32_000)), "it ended at {last:?}");
}

#[test]
fn what_a_full_recorder_drops_in_silence_is_not_waited_for() {
    let mut plan = plan_with(&[(0, 5), (35, 90)], ms(60_000));
    let terminals = fleet(&mut plan);
    (terminals.recorder.capacity_bytes, terminals.recorder.on_full) = (1_050, OnFull::DropOldest);
    terminals.streams[0].payload = model::plan::Payload { p50: 100, p99: 100 };
    let played = play(plan, World::default());
    assert!(played.report.complete());
    let rows = rows(&played, 10);
    assert_eq!(
        rows.iter().filter(|row| row.fate == Fate::Dropped && row.attempts.is_empty()).count(),
        rows.iter().filter(|row| row.fate != Fate::Acked).count()
    );
    assert!(
        rows.iter()
            .filter(|row| row.fate == Fate::Acked)
            .all(|row| row.acked.is_some_and(|acked| acked >= row.ready))
    );
}

/// A handshake of 300 ms after each acquisition.
#[test]
fn the_first_connection_after_silence_delays_no_live_reading_behind_the_replay() {
    for order in [ReplayOrder::LiveFirst, ReplayOrder::OldestFirst] {
        let mut plan = plan_with(&[(0, 10), (20, 90)], ms(40_000));
        fleet(&mut plan).recorder.order = order;
        let played = play(with_a_fast_stream(plan), slow_to_greet());
        assert!(played.report.complete());
        let mut longest = Duration::ZERO;
        for row in rows(&played, 10) {
            let waited = row.acked.expect("acked").since(row.ready);
            let while_connecting = in_span(row.ready, 20_000, 20_301);
            let silent = row.ready > generated(&played, &row);
            if order == ReplayOrder::OldestFirst && !silent {
                longest = longest.max(waited);
                assert!(
                    row.ready < at(20_000) || row.stored || waited < ms(50),
                    "{waited:?} {row:?}"
                );
                continue;
            }
            assert!(
                waited < if while_connecting { ms(310) } else { ms(50) },
                "{order:?}: {waited:?} {row:?}"
            );
            assert_eq!(row.stored, silent);
        }
        assert_eq!(
            longest > ms(1500),
            order == ReplayOrder::OldestFirst,
            "behind a backlog of two seconds: {longest:?}"
        );
    }
}

/// With one place and answers of 20 ms, the live readings of the handshake go one by one before the first replayed one.
#[test]
fn the_replay_makes_up_for_the_first_connection_also_behind_live_readings() {
    let mut plan = plan_with(&[(0, 10), (20, 90)], ms(40_000));
    fleet(&mut plan).connection.max_inflight = 1;
    fleet(&mut plan).recorder.rate = 2.0;
    let world =
        World { replies: Box::new(|_| Reply::After(ms(20), Outcome::Acked)), ..slow_to_greet() };
    let played = play(with_a_fast_stream(plan), world);
    assert!(played.report.complete());
    let mut silent = rows(&played, 10);
    silent.retain(|row| row.ready > generated(&played, row));
    assert!(silent.iter().any(|row| row.ready >= at(24_000)), "five seconds at twenty per second");
    for row in silent {
        let waited = row.acked.expect("acked").since(row.ready);
        assert!(
            waited < if row.ready < at(21_000) { ms(400) } else { ms(80) },
            "{waited:?} {row:?}"
        );
    }
}

/// The platform hangs from the handshake to 30 s: what it owes then is replayed at the pace, not in a burst.
#[test]
fn the_replay_does_not_make_up_for_trouble_after_the_first_connection() {
    let mut plan = plan_with(&[(0, 10), (20, 90)], ms(40_000));
    fleet(&mut plan).connection.max_inflight = 1;
    fleet(&mut plan).connection.attempts = 100;
    fleet(&mut plan).recorder.rate = 2.0;
    let hangs = |heard: Micros| in_span(heard, 20_000, 30_000);
    let world = World {
        replies: Box::new(move |heard| {
            if hangs(heard.at) { Reply::Never } else { Reply::After(ms(20), Outcome::Acked) }
        }),
        ..slow_to_greet()
    };
    let played = play(with_a_fast_stream(plan), world);
    assert!(played.report.complete());
    let heard = played.heard();
    let replayed =
        heard.iter().filter(|heard| heard.envelope.identity.asset == 10 && heard.envelope.stored);
    let replayed = replayed.filter(|heard| in_span(heard.at, 33_000, 35_000)).count();
    assert!((37..=42).contains(&replayed), "twenty per second, not {replayed} in two seconds");
}

fn with_a_fast_stream(mut plan: Plan) -> Plan {
    let stream = &mut fleet(&mut plan).streams[0];
    (stream.every, stream.jitter) = (ms(100), Duration::ZERO);
    plan
}

fn slow_to_greet() -> World {
    let slow =
        |knock: super::world::Knock| if knock.at >= at(20_000) { ms(300) } else { Duration::ZERO };
    World { greets: Box::new(slow), ..World::default() }
}
