//! The schedule is what is sent, nothing is lost, and latencies are the truth.

use std::{collections::BTreeSet, time::Duration};

use model::{
    Micros, NodeIndex, Outcome, Row,
    ledger::Fate,
    schedule::{Draws, Purpose},
};

use super::{
    sample::{fleet, plan, stream},
    world::{Played, Reply, World, at, ms, play, play_until},
};
use crate::Thread;

/// Every reading of the schedule before `until` has exactly one row, and its `ready` is its intended time.
fn one_row_each(played: &Played, until: Micros) -> Vec<Row> {
    let mut rows: Vec<Row> =
        played.loaded.rows(0).expect("a ledger").collect::<Result<_, _>>().expect("rows");
    rows.sort_by_key(|row| row.identity);
    let due = played.loaded.schedule.all().flat_map(|(asset, stream, series)| {
        series
            .times()
            .take_while(move |(_, at)| *at < until)
            .map(move |(seq, at)| (asset, stream, seq, at))
    });
    let due: Vec<_> = due.collect();
    let written: Vec<_> = rows
        .iter()
        .map(|row| (row.identity.asset, row.identity.stream, row.identity.seq, row.ready))
        .collect();
    assert_eq!(written, due);
    assert_eq!(played.report.generated(), due.len() as u64);
    assert_eq!(played.report.trouble(), None);
    assert_eq!(played.loaded.readings().expect("readings").rows, rows, "nothing is missing");
    rows
}

#[test]
fn what_is_sent_is_the_schedule_that_can_be_printed() {
    let mut plan = plan(30, ms(20_000));
    fleet(&mut plan).streams.push(stream("allocs", ms(3000)));
    let played = play(plan, World::default());
    one_row_each(&played, at(20_000));
    assert!(played.report.complete());
    let sent: BTreeSet<_> = played
        .heard()
        .iter()
        .map(|heard| (heard.envelope.identity, heard.envelope.generated, heard.bytes))
        .collect();
    let printed: BTreeSet<_> = played
        .loaded
        .schedule
        .all()
        .flat_map(|(asset, stream, series)| {
            series.times().map(move |(seq, at)| {
                let identity = model::Identity { asset, stream, boot: 1, seq };
                (identity, at, series.payload(seq) as usize)
            })
        })
        .collect();
    assert_eq!(sent, printed);
    assert_eq!(played.heard().len(), printed.len(), "each once");
    assert!(
        played
            .heard()
            .iter()
            .all(|heard| heard.envelope.run == 7 && heard.at >= heard.envelope.generated)
    );
    assert!(
        played.report.schedule_lag().max() <= 1000,
        "a tick of the runtime at most: {}",
        played.report.schedule_lag().max()
    );
}

#[test]
fn a_blocked_lane_never_delays_generation() {
    let world = World {
        takes: Box::new(|(now, _)| !(at(2_000)..at(8_000)).contains(&now)),
        ..World::default()
    };
    let played = play(plan(12, ms(10_000)), world);
    let rows = one_row_each(&played, at(10_000));
    assert!(rows.iter().all(|row| row.fate == Fate::Acked));
    let waited = rows.iter().filter(|row| (at(2_000)..at(7_000)).contains(&row.ready));
    for row in waited {
        assert!(row.acked >= Some(at(8_000)) && row.attempts[0].sent >= at(8_000), "{row:?}");
    }
    let generated: Vec<u64> = played
        .loaded
        .counts
        .iter()
        .map(|count| match &count.of {
            run::Counted::Assets { generated, .. } => *generated,
            run::Counted::Fabric(_) => 0,
        })
        .collect();
    assert_eq!(generated.iter().sum::<u64>(), rows.len() as u64);
    assert!(
        generated[..20].iter().all(|count| *count > 0),
        "both homes generate in every second: {generated:?}"
    );
}

/// Answers, refusals, silences, closed doors, a full recorder, an end in the middle: each reading still has exactly one row.
#[test]
fn nothing_is_lost_in_chaos() {
    for seed in 0..6 {
        let mut plan = plan(15, ms(30_000));
        plan.seed = seed;
        fleet(&mut plan).streams.push(stream("fast", ms(150)));
        fleet(&mut plan).recorder.capacity_bytes = 3_000;
        let draws = Draws::of(seed);
        let world = World {
            opens: Box::new(move |knock| {
                match draws.below(
                    4,
                    Purpose::Message,
                    knock.at.0.unsigned_abs() + u64::from(knock.asset),
                ) {
                    0 => None,
                    1 => Some(false),
                    _ => Some(true),
                }
            }),
            replies: Box::new(move |heard| {
                let id = heard.envelope.identity;
                let key = id.seq << 32 | u64::from(id.asset) << 16 | u64::from(heard.attempt);
                match draws.below(8, Purpose::Message, key) {
                    0 => Reply::Never,
                    1 => Reply::After(ms(3), Outcome::Refused),
                    2 => Reply::After(ms(9), Outcome::Unknown),
                    n => Reply::After(ms(1 << n), Outcome::Acked),
                }
            }),
            takes: Box::new(|(now, _)| now.0 / 100_000 % 7 != 3),
            ..World::default()
        };
        // The end of every second seed comes while much is under way.
        let stop = if seed % 2 == 0 { ms(30_000) } else { ms(17_300) };
        if seed % 2 == 1 {
            plan.phases.pop();
            plan.phases[0].end = model::plan::PhaseEnd::At(ms(17_301));
        }
        let played = play_until(stop, plan, world, Thread::Callers);
        let rows = one_row_each(&played, if seed % 2 == 0 { at(30_000) } else { at(17_300) });
        let count = |fate| rows.iter().filter(|row| row.fate == fate).count();
        assert!(count(Fate::Acked) > rows.len() / 4, "seed {seed}");
        assert!(count(Fate::Dropped) + count(Fate::Unknown) > 0, "seed {seed}");
        assert_eq!(
            count(Fate::Pending) == 0 && count(Fate::Refused) == 0,
            played.report.complete(),
            "seed {seed}"
        );
        assert_eq!(played.report.acked(), count(Fate::Acked) as u64, "seed {seed}");
        for row in rows.iter().filter(|row| row.fate == Fate::Acked) {
            assert!(
                row.acked.is_some() && row.by == Some(NodeIndex(1)) && !row.attempts.is_empty(),
                "seed {seed}: {row:?}"
            );
        }
    }
}

/// 1 s of stall in every 10 s: a reading due at a share x of the stall waits 1 - x seconds, so the q-quantile above 0.9 is 1 - (1 - q) / 0.1.
#[test]
fn percentiles_are_the_truth_under_stalls() {
    let stalled = |now: Micros| (5_000_000..6_000_000).contains(&(now.0 % 10_000_000));
    let until_end =
        |now: Micros| Duration::from_micros((6_000_000 - now.0 % 10_000_000).unsigned_abs());
    let answers_late = World {
        replies: Box::new(move |heard| {
            Reply::After(
                if stalled(heard.at) { until_end(heard.at) } else { Duration::ZERO },
                Outcome::Acked,
            )
        }),
        ..World::default()
    };
    let takes_nothing =
        World { takes: Box::new(move |(now, _)| !stalled(now)), ..World::default() };
    for (name, world, inflight) in
        [("answers late", answers_late, 1), ("takes nothing", takes_nothing, 16)]
    {
        let mut plan = plan(700, ms(60_000));
        fleet(&mut plan).connection.max_inflight = inflight;
        let played = play(plan, world);
        let rows = one_row_each(&played, at(60_000));
        let mut latencies: Vec<u64> = rows
            .iter()
            .map(|row| row.acked.expect("acked").since(row.ready).as_micros() as u64)
            .collect();
        latencies.sort_unstable();
        let mut all = run::histogram();
        for interval in played.loaded.latencies().expect("a log") {
            all.add(&interval.histogram).expect("equal bounds");
        }
        assert_eq!(all.len(), rows.len() as u64);
        for q in [0.92, 0.95, 0.99, 0.999] {
            let truth = 1e6 * (1.0 - (1.0 - q) / 0.1);
            let rows = latencies[(latencies.len() as f64 * q) as usize] as f64;
            for (from, seen) in [("ledger", rows), ("histogram", all.value_at_quantile(q) as f64)] {
                assert!(
                    (seen - truth).abs() <= f64::max(0.02 * truth, 2_000.0),
                    "{name}: p{q} of the {from} is {seen}, truth {truth}"
                );
            }
        }
    }
}

/// In real time, on a thread of its own: the same core.
#[test]
fn a_thread_of_its_own_does_the_same() {
    let played = play_until(ms(300), plan(50, ms(300)), World::default(), Thread::Own);
    let rows = one_row_each(&played, at(300));
    assert!(played.report.complete() && rows.iter().all(|row| row.fate == Fate::Acked));
}
