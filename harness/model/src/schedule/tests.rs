use proptest::prelude::*;

use super::*;

fn series(every: u64, jitter: u64, phase: StreamPhase, seed: u64, stop: i64) -> Series {
    let stream = Stream {
        name: "status".into(),
        every: Duration::from_micros(every),
        phase,
        jitter: Duration::from_micros(jitter),
        payload: Payload { p50: 450, p99: 900 },
        ack: crate::plan::Ack::Required,
    };
    Series::new(&stream, Draws::of(seed).named("terminals"), Micros(stop))
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
                let series = Series::new(&stream, root.then(asset), Micros::MAX);
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
