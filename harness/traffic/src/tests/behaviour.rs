//! Deadlines, retries, the recorder, and the ways between regions.

use std::time::Duration;

use model::{
    Micros, Outcome, Row,
    ledger::Fate,
    plan::{Ack, BackoffJitter, OnFull, ReplayOrder},
};

use super::{
    sample::{fleet, plan, stream},
    world::{Played, Reply, World, at, ms, play},
};

fn rows(played: &Played) -> Vec<Row> {
    played.loaded.readings().expect("readings").rows
}

fn between(from: u64, to: u64) -> impl Fn(Micros) -> bool + Send + Sync + Copy {
    move |now| (at(from)..at(to)).contains(&now)
}

#[test]
fn a_timeout_is_unknown_and_tried_again() {
    let silent = between(3_000, 9_000);
    let mut plan = plan(6, ms(12_000));
    fleet(&mut plan).connection.attempts = 1000;
    let world = World {
        replies: Box::new(move |heard| {
            if silent(heard.at) { Reply::Never } else { Reply::After(ms(5), Outcome::Acked) }
        }),
        ..World::default()
    };
    let played = play(plan, world);
    let rows = rows(&played);
    assert!(rows.iter().all(|row| row.fate == Fate::Acked));
    for row in &rows {
        let sent: Vec<_> = played
            .heard()
            .into_iter()
            .filter(|heard| heard.envelope.identity == row.identity)
            .collect();
        assert_eq!(
            row.attempts.iter().map(|attempt| attempt.sent).collect::<Vec<_>>(),
            sent.iter().map(|heard| heard.at).collect::<Vec<_>>()
        );
        assert_eq!(
            sent.iter().map(|heard| heard.attempt).collect::<Vec<_>>(),
            (1..=sent.len() as u16).collect::<Vec<_>>()
        );
        let waits = sent.windows(2).map(|pair| pair[1].at.since(pair[0].at));
        assert!(waits.into_iter().all(|wait| wait >= ms(2000)), "not before the deadline");
        assert!(
            sent.iter().rev().skip(1).all(|heard| silent(heard.at)),
            "only silence is tried again"
        );
    }
    let lost = rows.iter().map(|row| row.attempts.len() - 1).sum::<usize>();
    assert!(lost > 10);
    assert_eq!(played.world.abandoned.lock().expect("no panic").len(), lost);
    let unknown: u64 = played
        .loaded
        .counts
        .iter()
        .map(|count| match &count.of {
            run::Counted::Assets { unknown, .. } => *unknown,
            run::Counted::Fabric(_) => 0,
        })
        .sum();
    assert_eq!(unknown, lost as u64);
}

#[test]
fn a_refusal_is_tried_again_and_is_final_only_at_the_end() {
    let poison = |seq: u64| seq == 2;
    let world = World {
        replies: Box::new(move |heard| {
            let outcome =
                if poison(heard.envelope.identity.seq) { Outcome::Refused } else { Outcome::Acked };
            Reply::After(ms(1), outcome)
        }),
        ..World::default()
    };
    let played = play(plan(3, ms(10_000)), world);
    assert!(!played.report.complete());
    for row in rows(&played) {
        let expected = if poison(row.identity.seq) { Fate::Refused } else { Fate::Acked };
        assert_eq!(row.fate, expected);
        assert_eq!(row.attempts.len() > 5, poison(row.identity.seq), "{row:?}");
    }
}

/// West is closed for good; what the recorder cannot hold goes, the oldest first or the newest.
#[test]
fn a_full_recorder_drops_and_says_so() {
    for on_full in [OnFull::DropOldest, OnFull::DropNewest] {
        let mut plan = plan(3, ms(40_000));
        let terminals = fleet(&mut plan);
        terminals.failover.clear();
        terminals.streams[0].payload = model::plan::Payload { p50: 100, p99: 100 };
        terminals.recorder.on_full = on_full;
        terminals.recorder.capacity_bytes = 1_050;
        let world = World {
            opens: Box::new(|knock| Some(knock.region != "west" || knock.at >= at(41_000))),
            ..World::default()
        };
        let played = play(plan, world);
        assert!(played.report.complete(), "what was kept is replayed");
        let west: Vec<Row> =
            rows(&played).into_iter().filter(|row| row.identity.asset == 12).collect();
        let kept: Vec<u64> =
            west.iter().filter(|row| row.fate == Fate::Acked).map(|row| row.identity.seq).collect();
        let dropped =
            west.iter().filter(|row| row.fate == Fate::Dropped && row.attempts.is_empty()).count();
        let last = west.len() as u64;
        let expected: Vec<u64> = if on_full == OnFull::DropOldest {
            (last - 10..last).collect()
        } else {
            (0..10).collect()
        };
        assert_eq!((kept, dropped), (expected, west.len() - 10));
        assert!(
            rows(&played)
                .iter()
                .filter(|row| row.identity.asset != 12)
                .all(|row| row.fate == Fate::Acked)
        );
    }
}

#[test]
fn an_asset_moves_on_after_failures_and_comes_home() {
    let gone = between(4_000, 12_000);
    let world = World {
        opens: Box::new(move |knock| Some(knock.region != "east" || !gone(knock.at))),
        replies: Box::new(move |heard| {
            if heard.region == "east" && gone(heard.at) {
                Reply::Never
            } else {
                Reply::After(ms(1), Outcome::Acked)
            }
        }),
        ..World::default()
    };
    let played = play(plan(3, ms(40_000)), world);
    assert!(played.report.complete());
    for asset in [10, 11] {
        let heard: Vec<_> = played
            .heard()
            .into_iter()
            .filter(|heard| heard.envelope.identity.asset == asset)
            .collect();
        // Three requests without an answer, of about one second each and two seconds of patience.
        let moved = heard.iter().find(|heard| heard.region == "west").expect("it moved on").at;
        let unanswered =
            heard.iter().filter(|heard| heard.region == "east" && gone(heard.at)).count();
        assert!(unanswered >= 3, "{unanswered}");
        assert!((at(6_000)..at(11_000)).contains(&moved), "{moved}");
        let knocks = played.knocks(asset);
        let (west, home) = (
            knocks.iter().find(|knock| knock.region == "west").expect("it moved on"),
            knocks.last().expect("some"),
        );
        assert_eq!(home.region, "east");
        let away = home.at.since(west.at);
        assert!(away >= ms(5_000), "stays at least this long: {away:?}");
        assert!(
            heard.iter().filter(|heard| heard.at > home.at).all(|heard| heard.region == "east")
        );
    }
    assert!(
        played.knocks(12).iter().all(|knock| knock.region == "west"),
        "the others stay where they are"
    );
    let spread = |asset| played.knocks(asset).last().expect("some").at;
    assert_ne!(spread(10), spread(11), "the way home is spread");
}

/// A home that is still dead when the asset comes back costs one failure, not three.
#[test]
fn coming_home_too_early_costs_one_failure() {
    let gone = between(4_000, 25_000);
    let mut plan = plan(2, ms(40_000));
    fleet(&mut plan).home = [("east".into(), 2)].into();
    let world = World {
        opens: Box::new(move |knock| Some(knock.region != "east" || !gone(knock.at))),
        replies: Box::new(move |heard| {
            if heard.region == "east" && gone(heard.at) {
                Reply::Never
            } else {
                Reply::After(ms(1), Outcome::Acked)
            }
        }),
        ..World::default()
    };
    let played = play(plan, world);
    let regions: Vec<String> = played.knocks(10).into_iter().map(|knock| knock.region).collect();
    let first_west = regions.iter().position(|region| region == "west").expect("it moved on");
    let alternate: Vec<_> =
        (0..regions.len() - first_west).map(|n| if n % 2 == 0 { "west" } else { "east" }).collect();
    assert_eq!(regions[first_west..], alternate);
    assert_eq!(regions.last().map(String::as_str), Some("east"));
    assert!(regions.len() >= first_west + 4, "{regions:?}");
}

#[test]
fn reconnects_keep_the_bounds_of_the_backoff() {
    for (jitter, least) in
        [(BackoffJitter::None, 1.0), (BackoffJitter::Equal, 0.5), (BackoffJitter::Full, 0.0)]
    {
        let mut plan = plan(20, ms(8_000));
        let terminals = fleet(&mut plan);
        terminals.connection.backoff.jitter = jitter;
        terminals.connection.backoff.base = ms(50);
        let world = World { opens: Box::new(|_| Some(false)), ..World::default() };
        let played = play(plan, world);
        assert_eq!(played.report.acked(), 0);
        for asset in 10..30 {
            let knocks = played.knocks(asset);
            assert!(knocks.len() > 10);
            for (n, pair) in knocks.windows(2).enumerate() {
                let most = ms((50 << (n + 1).min(10)).min(400));
                let wait = pair[1].at.since(pair[0].at);
                // The runtime's tick may add a millisecond.
                assert!(
                    wait >= most.mul_f64(least) && wait <= most + ms(1),
                    "{jitter:?}: try {n} after {wait:?}, at most {most:?}"
                );
            }
        }
    }
}

#[test]
fn nobody_waits_longer_than_the_connect_timeout() {
    let world = World {
        opens: Box::new(|knock| (knock.region != "east").then_some(true)),
        ..World::default()
    };
    let played = play(plan(3, ms(10_000)), world);
    let knocks = played.knocks(10);
    assert_eq!(
        knocks.iter().map(|knock| knock.region.as_str()).take(4).collect::<Vec<_>>(),
        ["east", "east", "east", "west"]
    );
    for pair in knocks.windows(2).take(3) {
        assert!(pair[1].at.since(pair[0].at) >= ms(500));
    }
    assert!(played.report.complete());
}

/// Ten seconds without a connection, then: live ones at their moments, the stored ones beside them at five times the nominal rate.
#[test]
fn a_backlog_is_replayed_at_its_rate_beside_the_live_ones() {
    let down = between(0, 10_000);
    let world = World { opens: Box::new(move |knock| Some(!down(knock.at))), ..World::default() };
    let played = play(plan(4, ms(30_000)), world);
    assert!(played.report.complete());
    for asset in 10..14 {
        let mine: Vec<_> = played
            .heard()
            .into_iter()
            .filter(|heard| heard.envelope.identity.asset == asset)
            .collect();
        let (stored, live): (Vec<_>, Vec<_>) = mine.iter().partition(|heard| heard.envelope.stored);
        assert!((9..=11).contains(&stored.len()), "{}", stored.len());
        assert!(stored.is_sorted_by_key(|heard| heard.envelope.identity.seq), "oldest first");
        for pair in stored.windows(2) {
            let gap = pair[1].at.since(pair[0].at);
            assert!(gap >= ms(199) && gap <= ms(201), "{gap:?}");
        }
        assert!(
            live.iter().all(|heard| heard.at.since(heard.envelope.generated) <= ms(1)),
            "live ones are not held up"
        );
    }
    for row in rows(&played) {
        assert_eq!(row.stored, row.attempts[0].sent.since(row.ready) > ms(1));
    }
}

#[test]
fn oldest_first_keeps_the_order_and_newest_first_turns_it() {
    let down = between(0, 5_000);
    for order in [ReplayOrder::OldestFirst, ReplayOrder::NewestFirst] {
        let mut plan = plan(2, ms(20_000));
        fleet(&mut plan).recorder.order = order;
        fleet(&mut plan).recorder.mark_stored = false;
        let world =
            World { opens: Box::new(move |knock| Some(!down(knock.at))), ..World::default() };
        let played = play(plan, world);
        assert!(played.report.complete());
        let seqs: Vec<u64> = played
            .heard()
            .iter()
            .filter(|heard| heard.envelope.identity.asset == 10)
            .map(|heard| heard.envelope.identity.seq)
            .collect();
        match order {
            ReplayOrder::OldestFirst => assert!(seqs.is_sorted(), "{seqs:?}"),
            _ => assert!(seqs[0] > seqs[1] && seqs[1] > seqs[2], "{seqs:?}"),
        }
        assert!(played.heard().iter().all(|heard| !heard.envelope.stored));
    }
}

#[test]
fn no_asset_has_more_under_way_than_it_may() {
    let mut plan = plan(3, ms(10_000));
    fleet(&mut plan).streams = vec![stream("fast", ms(20))];
    fleet(&mut plan).connection.max_inflight = 3;
    let world =
        World { replies: Box::new(|_| Reply::After(ms(50), Outcome::Acked)), ..World::default() };
    let played = play(plan, world);
    assert!(played.report.complete());
    for asset in 10..13 {
        let sent: Vec<Micros> = played
            .heard()
            .iter()
            .filter(|heard| heard.envelope.identity.asset == asset)
            .map(|heard| heard.at)
            .collect();
        for (n, at) in sent.iter().enumerate() {
            let under_way = sent[..n]
                .iter()
                .filter(|before| **before + Duration::from_micros(49_999) > *at)
                .count();
            assert!(under_way < 3, "{under_way} under way at {at}");
        }
    }
}

#[test]
fn streams_that_ask_for_less_are_done_sooner() {
    let mut plan = plan(3, ms(5_000));
    let streams = &mut fleet(&mut plan).streams;
    streams.push(stream("best", ms(500)));
    streams.push(stream("none", ms(500)));
    streams[1].ack = Ack::BestEffort;
    streams[2].ack = Ack::None;
    let world = World {
        replies: Box::new(|heard| {
            match (heard.envelope.identity.stream, heard.envelope.identity.seq) {
                (1, 3) => Reply::After(ms(1), Outcome::Refused),
                (1, 4) | (2, _) => Reply::Never,
                _ => Reply::After(ms(1), Outcome::Acked),
            }
        }),
        ..World::default()
    };
    let played = play(plan, world);
    assert!(played.report.complete());
    for row in rows(&played) {
        let expected = match (row.identity.stream, row.identity.seq) {
            (1, 3) => Fate::Refused,
            (1, 4) | (2, _) => Fate::Unknown,
            _ => Fate::Acked,
        };
        assert_eq!((row.fate, row.attempts.len()), (expected, 1), "{row:?}");
    }
}
