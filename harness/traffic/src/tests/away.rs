//! Assets that the wanted world sends away, and lets back.

use model::{
    Conditions, FleetCondition, FleetState, LabEvent, Lever, Micros, Row, Stamped, event::Place,
    ledger::Fate,
};
use seams::Disconnect;

use super::{
    sample::plan,
    silence::{in_span, passes},
    world::{Played, World, at, ms, play},
};

/// East, where asset 10 and 11 live, is in this state from 5 s to 10 s.
fn wanted(state: FleetState) -> Vec<(Micros, Conditions)> {
    let east = |state| Conditions {
        fleets: [("east/terminals".into(), FleetCondition { state })].into(),
        ..Conditions::default()
    };
    vec![(at(5_000), east(state)), (at(10_000), Conditions::default())]
}

fn away(state: FleetState) -> Played {
    play(plan(3, ms(20_000)), World { wanted: wanted(state), ..World::default() })
}

fn rows(played: &Played, asset: u32) -> Vec<Row> {
    let rows = played.loaded.readings().expect("readings").rows;
    rows.into_iter().filter(|row| row.identity.asset == asset).collect()
}

fn knocks(played: &Played, asset: u32) -> Vec<Micros> {
    let knocks = played.knocks(asset).into_iter().map(|knock| knock.at);
    knocks.filter(|at| *at > Micros(1_000_000)).collect()
}

/// Every asset of the cell leaves in the way that is asked for, tries nothing, and is counted where it had a connection.
#[test]
fn assets_stay_away_and_their_wait_counts() {
    let states = [
        (FleetState::Disconnected, Disconnect::Close, Lever::Disconnect),
        (FleetState::Silent, Disconnect::Silent, Lever::Silence),
    ];
    for (state, how, lever) in states {
        let played = away(state);
        assert!(played.report.complete());
        let left: Vec<_> = {
            let disconnects = played.world.disconnects.lock().expect("no panic");
            disconnects.iter().filter(|(when, ..)| *when < at(20_000)).copied().collect()
        };
        assert_eq!(left, [(at(5_000), 0, how), (at(5_000), 1, how)], "{state:?}");
        let hit = LabEvent::Hit {
            lever,
            at: Place::Cell("east/terminals".into()),
            count: 2,
            first: at(5_000),
            established: 2,
        };
        assert_eq!(played.seen, [Stamped { at: at(5_000), what: hit }]);
        for asset in [10, 11] {
            let back = knocks(&played, asset);
            assert_eq!(back.len(), 1, "{state:?}: one try is enough: {back:?}");
            // The first backoff is of a millisecond at most.
            assert!(in_span(back[0], 10_000, 10_003), "{state:?}: {back:?}");
            for row in rows(&played, asset) {
                assert_eq!(row.fate, Fate::Acked);
                let generated = played.loaded.schedule.series(asset, 0).expect("of the plan");
                assert_eq!(row.ready, generated.at(row.identity.seq), "no plan moved it");
                let kept = in_span(row.ready, 5_000, 10_000);
                assert_eq!(kept, row.acked >= Some(at(10_000)) && row.ready < at(10_000));
            }
        }
        assert_eq!(knocks(&played, 12), [], "the others stay where they are");
    }
}

#[test]
fn who_is_let_back_out_of_contact_comes_with_the_next_signal() {
    let mut plan = plan(3, ms(30_000));
    passes(&mut plan, &[(0, 8), (20, 90)]);
    let world = World { wanted: wanted(FleetState::Disconnected), ..World::default() };
    let played = play(plan, world);
    assert!(played.report.complete());
    assert_eq!(knocks(&played, 10), [at(20_000)]);
}

#[test]
fn who_is_kept_away_when_signal_comes_stays_away() {
    let mut plan = plan(3, ms(30_000));
    passes(&mut plan, &[(0, 4), (7, 90)]);
    let world = World { wanted: wanted(FleetState::Silent), ..World::default() };
    let played = play(plan, world);
    assert!(played.report.complete());
    assert_eq!(knocks(&played, 10), [at(10_000)]);
    assert_eq!(played.seen, [], "nobody had a connection to lose");
}
