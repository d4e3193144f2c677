//! Each distribution against its formula. Seeds are fixed: these are checks of the code, not of luck.

use model::Chance;

use super::*;

const DRAWS: usize = 200_000;

fn chance(percent: u32) -> Chance {
    Chance(percent * 10_000)
}

fn jitters(shape: Shape, correlation: u32) -> Vec<f64> {
    let jitter =
        Jitter { width: Duration::from_millis(1), shape, correlation: chance(correlation) };
    let (mut random, mut last) = (Random::new(7), f64::NAN);
    (0..DRAWS).map(|_| jittered(jitter, &mut last, &mut random) / 1e6).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    mean_of(values, |value| (value - mean).powi(2)).sqrt()
}

fn mean_of(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|value| of(*value)).sum::<f64>() / values.len() as f64
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(q * (values.len() - 1) as f64) as usize]
}

#[test]
fn every_shape_has_its_mean_width_and_bounds() {
    // Standard deviations: 1/sqrt(3) of a uniform draw of half-width 1; a little below 1 where tails are cut off at 4.
    for (shape, sigma, low, high) in [
        (Shape::Uniform, 0.577, -1.0, 1.0),
        (Shape::Normal, 1.0, -4.0, 4.0),
        (Shape::Pareto, 0.80, -0.58, 4.0),
        (Shape::ParetoNormal, 0.80, -1.5, 4.0),
    ] {
        for correlation in [0, 60] {
            let values = jitters(shape, correlation);
            let name = format!("{shape:?} at {correlation}%");
            assert!(mean(&values).abs() < 0.06, "{name}: mean {}", mean(&values));
            assert!(
                (deviation(&values) - sigma).abs() < 0.08,
                "{name}: deviation {}",
                deviation(&values)
            );
            assert!(quantile(&values, 0.0) >= low && quantile(&values, 1.0) <= high, "{name}");
        }
    }
}

#[test]
fn correlation_is_what_was_asked_and_leaves_the_distribution_alone() {
    for (asked, shape) in
        [(0, Shape::Normal), (25, Shape::Normal), (90, Shape::Normal), (60, Shape::Uniform)]
    {
        let values = jitters(shape, asked);
        let (mean, sigma) = (mean(&values), deviation(&values));
        let pairs = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
        let found = pairs / (values.len() - 1) as f64 / sigma.powi(2);
        // Under a uniform distribution the rank correlation is 6/pi asin(r/2), a little less than r.
        let r = f64::from(asked) / 100.0;
        let expected =
            if shape == Shape::Uniform { 6.0 / std::f64::consts::PI * (r / 2.0).asin() } else { r };
        assert!((found - expected).abs() < 0.03, "{shape:?} asked {asked}%: {found}");
        for q in [0.1, 0.5, 0.9] {
            let off = (quantile(&values, q) - quantile(&jitters(shape, 0), q)).abs();
            assert!(off < 0.1, "{shape:?} at {asked}%: quantile {q} moved by {off}");
        }
    }
}

#[test]
fn bursts_have_their_share_and_their_length() {
    let bursts =
        Bursts { enter: chance(1), leave: chance(20), bad: chance(90), good: Chance(1_000) };
    let quality = LinkQuality { bursts: vec![bursts], ..LinkQuality::default() };
    let (mut impairments, mut random) = (Impairments::new(&quality, true), Random::new(3));
    let lost: Vec<bool> = (0..DRAWS).map(|_| impairments.draw(&mut random).lost).collect();
    let share = lost.iter().filter(|lost| **lost).count() as f64 / DRAWS as f64;
    assert!((share - bursts.share_lost()).abs() < 0.004, "{share} against {}", bursts.share_lost());
    // A loss is followed by another one far more often than its share: 0.8 * 0.9 inside a burst.
    let pairs = lost.windows(2).filter(|pair| pair[0]);
    let (all, again) =
        pairs.fold((0, 0), |(all, again), pair| (all + 1, again + i32::from(pair[1])));
    let again = f64::from(again) / f64::from(all);
    assert!((0.66..0.76).contains(&again), "{again}");
}

#[test]
fn chances_come_true_as_often_as_asked_and_only_for_survivors() {
    let quality = LinkQuality {
        loss: vec![chance(10), chance(20)],
        corrupt: vec![chance(5)],
        duplicate: vec![chance(3), chance(3)],
        reorder: vec![chance(25)],
        ..LinkQuality::default()
    };
    let (mut impairments, mut random) = (Impairments::new(&quality, true), Random::new(11));
    let drawn: Vec<Drawn> = (0..DRAWS).map(|_| impairments.draw(&mut random)).collect();
    let survivors = drawn.iter().filter(|drawn| !drawn.lost).count() as f64;
    let share =
        |of: fn(&Drawn) -> bool| drawn.iter().filter(|drawn| of(drawn)).count() as f64 / survivors;
    let within = |found: f64, p: f64, n: f64| (found - p).abs() <= 4.0 * (p * (1.0 - p) / n).sqrt();
    assert!(within(survivors / DRAWS as f64, 0.72, DRAWS as f64), "{survivors}");
    assert!(within(share(|drawn| drawn.corrupt), 0.05, survivors));
    assert!(within(share(|drawn| drawn.twice), 1.0 - 0.97f64.powi(2), survivors));
    assert!(within(share(|drawn| drawn.jumps), 0.25, survivors));
    assert!(
        drawn.iter().all(|drawn| !drawn.lost || !(drawn.corrupt || drawn.twice || drawn.jumps))
    );
}

#[test]
fn certainty_draws_nothing() {
    let certain = LinkQuality { loss: vec![Chance::ALWAYS], ..LinkQuality::default() };
    let mut random = Random::new(5);
    assert!((0..100).all(|_| Impairments::new(&certain, true).draw(&mut random).lost));
    assert!(
        (0..100)
            .all(|_| Impairments::new(&LinkQuality::default(), true).draw(&mut random).is_plain())
    );
    assert_eq!(random.bits(), Random::new(5).bits());
}
