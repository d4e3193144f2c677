//! Several senders do what one does, and one that is lost takes nobody with it; a connection that carries many assets carries each.

use std::{collections::BTreeSet, num::NonZeroU32, ops::Range};

use model::{Identity, Micros, Outcome, Row, ledger::Fate};

use crate::Thread;

use super::{
    sample::{fleet, plan},
    world::{Played, Reply, World, at, ms, play, play_until},
};

const ASSETS: u32 = 90;

/// A region that is away for a while, with refusals and silence before it; replies are a function of the reading alone.
fn world() -> World {
    let away = |now: Micros| (at(4_000)..at(7_000)).contains(&now);
    World {
        opens: Box::new(move |knock| (!away(knock.at)).then_some(true)),
        replies: Box::new(move |heard| {
            let id = heard.envelope.identity;
            match (u64::from(id.asset) + id.seq + u64::from(heard.attempt)) % 11 {
                _ if away(heard.at) => Reply::Never,
                0 => Reply::After(ms(3), Outcome::Refused),
                1 => Reply::Never,
                n => Reply::After(ms(n), Outcome::Acked),
            }
        }),
        ..World::default()
    }
}

fn played(senders: u32, shared_by: u32) -> Played {
    let mut plan = plan(ASSETS, ms(12_000));
    plan.threads = NonZeroU32::new(senders);
    fleet(&mut plan).connection.shared_by = shared_by;
    play(plan, world())
}

/// What does not depend on who else is on the same thread: everything but positions, which the lane in memory takes from tickets.
fn rows(played: &Played) -> Vec<Row> {
    let rows = played.loaded.readings().expect("every ledger is whole").rows;
    rows.into_iter().map(|row| Row { position: None, ..row }).collect()
}

#[test]
fn one_four_and_forty_senders_send_the_same() {
    for shared_by in [1, 4] {
        let alone = played(1, shared_by);
        let expected = rows(&alone);
        assert!(expected.iter().any(|row| row.attempts.len() > 2), "there was trouble");
        for senders in [4, 40] {
            let several = played(senders, shared_by);
            let report = &several.report;
            assert_eq!(report.senders.len(), senders as usize);
            assert_eq!(report.generated(), expected.len() as u64);
            let mut carried: Vec<Range<u32>> =
                report.senders.iter().flat_map(|sender| sender.assets.clone()).collect();
            carried.sort_unstable_by_key(|assets| assets.start);
            let ends = carried.iter().flat_map(|assets| [assets.start, assets.end]);
            let ends: Vec<u32> = ends.collect();
            assert!(ends[1..ends.len() - 1].chunks(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
            assert_eq!(rows(&several), expected, "{senders} senders, {shared_by} on a connection");
        }
    }
}

#[test]
fn a_connection_carries_as_many_assets_as_the_plan_says() {
    let played = played(1, 8);
    let heard = played.heard();
    let assets: BTreeSet<u32> = heard.iter().map(|heard| heard.envelope.identity.asset).collect();
    assert_eq!(assets.len(), ASSETS as usize, "everybody sends");
    let (_, fleet) = played.loaded.plan.fleets.first_key_value().expect("there is one");
    let ids = fleet.first..fleet.first + fleet.assets;
    let asked: Vec<u32> = ids.filter(|asset| !played.knocks(*asset).is_empty()).collect();
    let firsts: Vec<u32> = fleet.connections().map(|(_, assets)| assets.start).collect();
    assert_eq!(asked, firsts, "the first asset of each speaks for it");
    assert_eq!(firsts.len(), 12, "8 of the 60 in the east, 4 of the 30 in the west");
    // Everything that trouble left is sent in the end, whoever shares the connection.
    assert!(played.report.complete());
    assert!(rows(&played).iter().all(|row| row.fate == Fate::Acked));
}

/// A thread that panics in the middle: the others go on, and every reading of its assets up to the last second is written.
#[test]
fn a_sender_that_is_lost_takes_only_its_own_assets_with_it() {
    let mut plan = plan(ASSETS, ms(2_500));
    plan.threads = NonZeroU32::new(3);
    let fatal = |id: Identity| id.asset == 70 && id.seq > 0;
    let world = World {
        replies: Box::new(move |heard| {
            assert!(!fatal(heard.envelope.identity), "planted: the sending thread ends here");
            Reply::After(ms(1), Outcome::Acked)
        }),
        ..World::default()
    };
    let stop = plan.stop();
    let played = play_until(stop, plan, world, Thread::Own);
    let lost: Vec<_> = played.report.lost().collect();
    let [(assets, why)] = &lost[..] else { panic!("one is lost: {lost:?}") };
    assert!(
        assets.iter().any(|assets| assets.contains(&70)) && why.contains("3 has ended: planted"),
        "{lost:?}"
    );
    assert!(played.report.complete(), "the others came to their end");
    assert_eq!(played.report.ended().count(), 2);
    let of_others = rows(&played);
    let of_others = of_others.iter().filter(|row| !assets[0].contains(&row.identity.asset));
    assert_eq!(of_others.clone().count() as u64, played.report.generated());
    assert!(of_others.clone().all(|row| row.fate == Fate::Acked));
}
