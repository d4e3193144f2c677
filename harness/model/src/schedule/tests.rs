use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::load::{Load, NOMINAL, Piece};

static LEVEL: LazyLock<Warp> = LazyLock::new(Warp::default);

fn series(every: u64, jitter: u64, phase: StreamPhase, seed: u64, stop: i64) -> Series<'static> {
    warped(every, jitter, phase, seed, stop, &LEVEL)
}

fn warped(
    every: u64,
    jitter: u64,
    phase: StreamPhase,
    seed: u64,
    stop: i64,
    warp: &Warp,
) -> Series<'_> {
    let stream = Stream {
        name: "status".into(),
        every: Duration::from_micros(every),
        phase,
        jitter: Duration::from_micros(jitter),
        payload: Payload { p50: 450, p99: 900 },
        ack: crate::plan::Ack::Required,
    };
    Series::new(&stream, Draws::of(seed).named("terminals"), warp, Micros(stop))
}

/// Rates from a hundredth to a thousand times the nominal one, in pieces that may touch or be a microsecond long.
fn loads() -> impl Strategy<Value = Warp> {
    let rate = || prop_oneof![10_000u32..4_000_000, 10_000u32..1_000_000_000];
    let piece = (prop_oneof![1i64..50, 1i64..5_000_000], rate(), rate(), any::<bool>());
    prop::collection::vec(piece, 0..6).prop_map(|pieces| {
        let mut at = 0;
        let pieces = pieces.into_iter().map(|(lasts, from, to, level)| {
            let piece = Piece { at: Micros(at), from, to: if level { from } else { to } };
            at += lasts;
            piece
        });
        Warp::of(&Load(pieces.collect()))
    })
}

proptest! {
    /// Numbered in order of intended times, each within its jitter of the grid, and `before` agrees with counting.
    #[test]
    fn times_are_ordered_and_counted(every in 1u64..5_000_000, jitter in 0u64..3_000_000, seed: u64, stop in 0i64..20_000_000, t in -5i64..25_000_000) {
        let series = series(every, jitter, StreamPhase::Random, seed, stop.min(1000 * every as i64));
        let times: Vec<_> = series.times().collect();
        prop_assert!(times.is_sorted_by_key(|(_, at)| *at));
        prop_assert_eq!(series.count(), times.len() as u64);
        prop_assert_eq!(series.before(Micros(t)), times.iter().filter(|(_, at)| at.0 < t).count() as u64);
        for (seq, at) in times {
            let off = at.0 - (series.phase + seq as i64 * series.every);
            prop_assert!(off.abs() <= series.jitter || at.0 == 0);
        }
        prop_assert!(series.phase < every as i64);
    }

    /// A load keeps the order, `before` agrees with counting, and nominal time goes forth and back.
    #[test]
    fn a_load_keeps_the_order(warp in loads(), every in 100u64..2_000_000, jitter in 0u64..1_000_000, seed: u64, t in -5i64..30_000_000) {
        let stop = warp.real(Micros(400 * every as i64)).0.min(20_000_000);
        let series = warped(every, jitter, StreamPhase::Random, seed, stop, &warp);
        let times: Vec<_> = series.times().collect();
        prop_assert!(times.is_sorted_by_key(|(_, at)| *at));
        prop_assert_eq!(series.count(), times.len() as u64);
        prop_assert_eq!(series.before(Micros(t)), times.iter().filter(|(_, at)| at.0 < t).count() as u64);
        for (seq, at) in times {
            // Several may share a microsecond; none of them is intended before it.
            prop_assert!(series.before(at) <= seq && seq < series.before(Micros(at.0 + 1)));
        }
    }

    /// Of each stream as many readings fall into a span as the integral of the rate says, to within one.
    #[test]
    fn a_load_counts_what_its_integral_says(warp in loads(), every in 100u64..2_000_000, seed: u64, from in 0i64..10_000_000, lasts in 0i64..10_000_000) {
        let series = warped(every, 0, StreamPhase::Random, seed, i64::MAX, &warp);
        let (from, to) = (Micros(from), Micros(from + lasts));
        let counted = (series.before(to) - series.before(from)) as f64;
        let exact = (warp.nominal(to).0 - warp.nominal(from).0) as f64 / every as f64;
        prop_assert!((counted - exact).abs() <= 1.0 + 1.0 / every as f64, "{} are not {}", counted, exact);
    }

    /// `real` is the first moment at which so much nominal time has passed, and the rate is between its bounds.
    #[test]
    fn nominal_time_goes_forth_and_back(warp in loads(), n in 0i64..50_000_000, t in 0i64..30_000_000, every in 1i64..1_000_000) {
        let at = warp.real(Micros(n));
        prop_assert!(warp.nominal(at).0 >= n);
        prop_assert!(at.0 == 0 || warp.nominal(Micros(at.0 - 1)).0 < n);
        let (t, every) = (Micros(t), Micros(every));
        let next = warp.interval(t, every);
        let (least, most) = warp.rates((t, t + Duration::from_micros(next.0.max(1).unsigned_abs())));
        prop_assert!(next.0 as f64 <= (every.0 + 1) as f64 * 1e6 / f64::from(least) + 2.0);
        prop_assert!(next.0 as f64 >= (every.0 - 1) as f64 * 1e6 / f64::from(most) - 2.0);
        prop_assert!(next.0 <= warp.slowest(Micros(every.0 + 1), (t, t + Duration::from_micros(next.0.max(1).unsigned_abs()))).0 + 1);
    }

    #[test]
    fn shares_add_up(total in 0u32..100_000, weights in prop::collection::vec(0.0f64..5.0, 1..6)) {
        let shares = apportion(total, &weights);
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 {
            prop_assert_eq!(shares.iter().sum::<u32>(), total);
            for (share, weight) in shares.iter().zip(&weights) {
                prop_assert!((f64::from(*share) - f64::from(total) * weight / sum).abs() < 1.0 + 1e-6);
            }
        }
    }

    #[test]
    fn backoff_keeps_its_bounds(n in 0u32..2000, index: u64, seed: u64) {
        let base = Backoff { base: Duration::from_secs(1), factor: 2.0, max: Duration::from_secs(60), jitter: BackoffJitter::None };
        let whole = backoff(&base, n, Draws::of(seed), index);
        prop_assert_eq!(whole, Duration::from_secs(1 << n.min(6)).min(Duration::from_secs(60)));
        let full = backoff(&Backoff { jitter: BackoffJitter::Full, ..base }, n, Draws::of(seed), index);
        prop_assert!(full <= whole);
        let equal = backoff(&Backoff { jitter: BackoffJitter::Equal, ..base }, n, Draws::of(seed), index);
        prop_assert!(equal <= whole && equal >= whole / 2);
    }
}

#[test]
fn aligned_without_jitter_is_the_plain_grid() {
    let series = series(1_000_000, 0, StreamPhase::Aligned, 7, 3_500_000);
    assert_eq!(
        series.times().map(|(_, at)| at.0).collect::<Vec<_>>(),
        [0, 1_000_000, 2_000_000, 3_000_000]
    );
}

/// Phases cover the interval evenly, and payload sizes have the quantiles that were asked for.
#[test]
fn draws_have_their_distributions() {
    let root = Draws::of(11);
    let mut quarters = [0; 4];
    let sizes: Vec<u32> = {
        let mut sizes: Vec<u32> = (0..40_000)
            .map(|asset| {
                let stream = Stream {
                    name: "s".into(),
                    every: Duration::from_secs(4),
                    phase: StreamPhase::Random,
                    jitter: Duration::ZERO,
                    payload: Payload { p50: 450, p99: 900 },
                    ack: crate::plan::Ack::Required,
                };
                let series = Series::new(&stream, root.then(asset), &LEVEL, Micros::MAX);
                quarters[usize::try_from(series.phase / 1_000_000)
                    .expect("a phase is not negative")] += 1;
                series.payload(asset)
            })
            .collect();
        sizes.sort_unstable();
        sizes
    };
    assert!(quarters.iter().all(|count: &i32| (9_600..10_400).contains(count)), "{quarters:?}");
    assert!((445..455).contains(&sizes[20_000]), "p50 is {}", sizes[20_000]);
    assert!((880..920).contains(&sizes[39_600]), "p99 is {}", sizes[39_600]);
}

/// These values are part of the ledger's format: another program computes the same.
#[test]
fn draws_are_pinned() {
    let draws = Draws::of(42).named("terminals").named("status").then(7);
    assert_eq!(draws.bits(Purpose::Phase, 0), PINNED);
}
const PINNED: u64 = 15_599_530_652_163_757_417;

/// A ramp from nothing much to twice the nominal rate: of many assets, each tenth of it holds as many more than the one before.
#[test]
fn a_ramp_of_many_assets_is_a_straight_line() {
    let end = Micros(10_000_000);
    let warp = Warp::of(&Load(vec![
        Piece { at: Micros::ZERO, from: 0, to: 2 * NOMINAL },
        Piece { at: end, from: NOMINAL, to: NOMINAL },
    ]));
    let (root, mut tenths) = (Draws::of(3), [0u32; 10]);
    let stream = Stream {
        name: "s".into(),
        every: Duration::from_millis(500),
        phase: StreamPhase::Random,
        jitter: Duration::from_millis(50),
        payload: Payload { p50: 450, p99: 900 },
        ack: crate::plan::Ack::Required,
    };
    for asset in 0..5_000 {
        for (_, at) in Series::new(&stream, root.then(asset), &warp, end).times() {
            tenths[usize::try_from(at.0 / 1_000_000).expect("not negative")] += 1;
        }
    }
    // 5,000 assets at 2/s are 10,000/s: in the k-th second 2,000 k + 1,000.
    for (k, count) in (0u32..).zip(tenths) {
        let exact = 2_000 * k + 1_000;
        assert!(count.abs_diff(exact) <= exact / 20, "{count} are not {exact}: {tenths:?}");
    }
}

/// A doubled rate halves the time, an even ramp gives the square root, and no load is no change.
#[test]
fn nominal_time_is_the_integral_of_the_rate() {
    let double = Warp::of(&Load(vec![Piece { at: Micros(10), from: 2_000_000, to: 2_000_000 }]));
    let real: Vec<i64> = [9, 10, 11, 12, 30].map(|n| double.real(Micros(n)).0).into();
    assert_eq!(real, [9, 10, 11, 11, 20]);
    let ramp = Warp::of(&Load(vec![
        Piece { at: Micros::ZERO, from: 0, to: 2_000_000 },
        Piece { at: Micros(1_000_000), from: NOMINAL, to: NOMINAL },
    ]));
    let real: Vec<i64> = [0, 250_000, 1_000_000, 1_000_001].map(|n| ramp.real(Micros(n)).0).into();
    assert_eq!(real, [0, 500_000, 1_000_000, 1_000_001]);
    assert_eq!(ramp.rates((Micros(250_000), Micros(500_000))), (500_000, 1_000_000));
    let level = Warp::of(&Load(vec![Piece { at: Micros::ZERO, from: NOMINAL, to: NOMINAL }]));
    assert!(level.is_nominal());
}

/// Changed bytes of a record are read without harm: times out of order, rates of nothing, times beyond all plans.
#[test]
fn a_damaged_load_does_no_harm() {
    let piece = |at, from, to| Piece { at: Micros(at), from, to };
    let warp = Warp::of(&Load(vec![
        piece(5, u32::MAX, 0),
        piece(3, 1, 1),
        piece(i64::MAX, 7, 7),
        piece(-4, 9, 9),
        piece(1_000, 0, 0),
    ]));
    for n in [0, 1, 1_000_000, i64::MAX] {
        assert!(warp.real(Micros(n)) >= Micros::ZERO);
        assert!(warp.nominal(Micros(n)) >= Micros::ZERO);
    }
    assert_eq!(warp.real(Micros(i64::MAX)), Micros::MAX);
    assert_eq!(warp.slowest(Micros(5), (Micros(2_000), Micros(3_000))), Micros::MAX);
}

/// A load belongs to its fleet: more assets, or another fleet beside it, change nobody's schedule, and so does who sends a part of them.
#[test]
fn nobody_else_changes_what_an_asset_sends_under_a_load() {
    let warp = Warp::of(&Load(vec![
        Piece { at: Micros(3), from: 500_000, to: 4_000_000 },
        Piece { at: Micros(2_000_000), from: 700_000, to: 700_000 },
    ]));
    let stream = Stream {
        name: "s".into(),
        every: Duration::from_millis(100),
        phase: StreamPhase::Random,
        jitter: Duration::from_millis(30),
        payload: Payload { p50: 450, p99: 900 },
        ack: crate::plan::Ack::Required,
    };
    let draws = Draws::of(1).named("terminals");
    let fleet = |assets| FleetSchedule {
        assets,
        draws,
        warp: warp.clone(),
        streams: vec![(stream.clone(), draws.named("s"))],
    };
    let stop = Micros(5_000_000);
    let few = Schedule { stop, fleets: BTreeMap::from([(0, fleet(3))]) };
    let other = FleetSchedule { warp: Warp::default(), ..fleet(9) };
    let many = Schedule { stop, fleets: BTreeMap::from([(0, fleet(40)), (40, other)]) };
    let times = |schedule: &Schedule, asset| -> Vec<_> {
        schedule.series(asset, 0).expect("it is there").times().collect()
    };
    for asset in 0..3 {
        assert_eq!(times(&few, asset), times(&many, asset));
    }
    assert_ne!(times(&many, 0), times(&many, 40), "the other fleet is at its nominal rate");
}
