//! What chance does on one link: jitter and loss, with what the link remembers from one message to the next.
//!
//! The distributions are those of the packet fabric. A message stands for the packet that carries it.

use model::{
    Bursts, Jitter, Lever, LinkQuality, Shape,
    quality::none_of,
    schedule::{Draws, Purpose},
};

/// Distributions without bounds are cut off here, in standard deviations, as netem's tables are.
const SIGMAS_MAX: f64 = 4.0;

#[derive(Debug, Default)]
pub(crate) struct Channel {
    /// With the normal deviate behind the last draw; None before the first.
    jitter: Vec<(Jitter, Option<f64>)>,
    /// Whether it is in its bad state; None before the first message.
    bursts: Vec<(Bursts, Option<bool>)>,
}

impl Channel {
    /// The sum of one draw of each, in seconds around the delay.
    pub(crate) fn jitter(&mut self, asked: &[Jitter], draws: Draws) -> f64 {
        follow(&mut self.jitter, asked);
        // Losses of the same message are numbered too.
        let draws = draws.named("jitter");
        (0..)
            .zip(&mut self.jitter)
            .map(|(number, (jitter, last))| spread(*jitter, last, draws.then(number)))
            .sum()
    }

    /// What takes a message, if anything does. A corrupt one fails its checksum and is as good as lost.
    pub(crate) fn takes(&mut self, quality: &LinkQuality, draws: Draws) -> Option<Lever> {
        follow(&mut self.bursts, &quality.bursts);
        let mut lost = draws.unit(Purpose::Message, 0) >= quality.survival();
        for (number, (bursts, bad)) in (0..).zip(&mut self.bursts) {
            lost |= moved(*bursts, bad, draws.then(number));
        }
        let corrupt = draws.unit(Purpose::Message, 1) >= none_of(&quality.corrupt);
        if lost { Some(Lever::Loss) } else { corrupt.then_some(Lever::Corrupt) }
    }
}

/// Processes that are asked for anew begin anew; the others go on.
fn follow<T: Copy + PartialEq, S>(kept: &mut Vec<(T, Option<S>)>, asked: &[T]) {
    if !kept.iter().map(|(process, _)| process).eq(asked) {
        *kept = asked.iter().map(|process| (*process, None)).collect();
    }
}

/// Moves a Gilbert-Elliott process by one message; true where that is lost. It begins in its stationary distribution.
fn moved(bursts: Bursts, bad: &mut Option<bool>, draws: Draws) -> bool {
    let happens = |index, chance: f64| draws.unit(Purpose::Message, index) < chance;
    let was_bad = bad.unwrap_or_else(|| happens(0, bursts.share_bad()));
    let is_bad = was_bad != happens(1, if was_bad { bursts.leave } else { bursts.enter }.as_f64());
    *bad = Some(is_bad);
    happens(2, if is_bad { bursts.bad } else { bursts.good }.as_f64())
}

/// Seconds around the delay. Correlation is a first-order autoregressive process under the distribution.
fn spread(jitter: Jitter, last: &mut Option<f64>, draws: Draws) -> f64 {
    let Jitter { width, shape, correlation } = jitter;
    let (width, correlation) = (width.as_secs_f64(), correlation.as_f64());
    if shape == Shape::Uniform && correlation == 0.0 {
        return width * (2.0 * draws.unit(Purpose::Message, 0) - 1.0);
    }
    let fresh = draws.normal(Purpose::Message, 0);
    let deviate = last.map_or(fresh, |last| {
        correlation * last + (1.0 - correlation * correlation).sqrt() * fresh
    });
    *last = Some(deviate);
    width * quantile(shape, deviate)
}

/// The quantile of a shape at the rank of a normal deviate.
fn quantile(shape: Shape, deviate: f64) -> f64 {
    let above = 0.5 * libm::erfc(deviate / std::f64::consts::SQRT_2);
    let normal = deviate.clamp(-SIGMAS_MAX, SIGMAS_MAX);
    // x = u^(-1/3) has a mean of 3/2 and a variance of 3/4 (Pareto with a shape of 3 and a scale of 1).
    let pareto =
        ((above.max(f64::MIN_POSITIVE).cbrt().recip() - 1.5) / 0.75f64.sqrt()).min(SIGMAS_MAX);
    match shape {
        Shape::Uniform => 1.0 - 2.0 * above,
        Shape::Normal => normal,
        Shape::Pareto => pareto,
        Shape::ParetoNormal => 0.25 * normal + 0.75 * pareto,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Chance;

    use super::*;

    const MANY: u64 = 20_000;

    /// Draws of a jitter of one second.
    fn drawn(shape: Shape, correlation: u32) -> Vec<f64> {
        let (mut channel, jitter) = (
            Channel::default(),
            Jitter { width: Duration::from_secs(1), shape, correlation: Chance(correlation) },
        );
        (0..MANY).map(|number| channel.jitter(&[jitter], Draws::of(1).then(number))).collect()
    }

    fn mean(of: impl Iterator<Item = f64>) -> f64 {
        of.sum::<f64>() / MANY as f64
    }

    /// Deviations after the cut at four sigmas, by integration over the quantiles.
    #[test]
    fn every_shape_has_its_mean_deviation_and_bounds() {
        for (shape, deviation, low, high) in [
            (Shape::Uniform, 0.577, -1.0, 1.0),
            (Shape::Normal, 1.0, -4.0, 4.0),
            (Shape::Pareto, 0.737, -0.578, 4.0),
            (Shape::ParetoNormal, 0.771, -1.434, 4.0),
        ] {
            let all = drawn(shape, 0);
            let middle = mean(all.iter().copied());
            let found = mean(all.iter().map(|x| (x - middle).powi(2))).sqrt();
            assert!(middle.abs() < 0.05, "{shape:?}: a mean of {middle}");
            assert!((found - deviation).abs() < 0.04, "{shape:?}: a deviation of {found}");
            assert!(all.iter().all(|x| (low..=high).contains(x)), "{shape:?} leaves its bounds");
        }
    }

    #[test]
    fn a_correlation_is_that_of_neighbours_and_leaves_the_distribution_alone() {
        for correlation in [0, 250_000, 900_000] {
            let all = drawn(Shape::Normal, correlation);
            let deviation = mean(all.iter().map(|x| x * x)).sqrt();
            assert!((deviation - 1.0).abs() < 0.05, "a deviation of {deviation}");
            let found = mean(all.windows(2).map(|pair| pair[0] * pair[1])) / deviation.powi(2);
            assert!(
                (found - f64::from(correlation) / 1e6).abs() < 0.03,
                "a correlation of {found} for {correlation}"
            );
        }
    }

    #[test]
    fn several_jitters_add_up_as_independent_draws() {
        let jitter = |ms| Jitter {
            width: Duration::from_millis(ms),
            shape: Shape::Uniform,
            correlation: Chance(0),
        };
        let mut channel = Channel::default();
        let all: Vec<f64> = (0..MANY)
            .map(|number| channel.jitter(&[jitter(30), jitter(40)], Draws::of(2).then(number)))
            .collect();
        let deviation = mean(all.iter().map(|x| x * x)).sqrt();
        assert!(
            (deviation - 0.05 / 3f64.sqrt()).abs() < 0.001,
            "variances add, not widths: {deviation}"
        );
        assert!(all.iter().all(|x| x.abs() <= 0.07));
    }

    #[test]
    fn bursts_lose_their_share_in_runs_of_their_length() {
        let bursts = Bursts {
            enter: Chance(20_000),
            leave: Chance(200_000),
            bad: Chance::ALWAYS,
            good: Chance(0),
        };
        let quality = LinkQuality { bursts: vec![bursts], ..LinkQuality::default() };
        let mut channel = Channel::default();
        let lost: Vec<bool> = (0..MANY)
            .map(|number| channel.takes(&quality, Draws::of(3).then(number)).is_some())
            .collect();
        let losses = lost.iter().filter(|lost| **lost).count() as f64;
        let runs = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        assert!((losses / MANY as f64 - bursts.share_lost()).abs() < 0.02, "{losses} of {MANY}");
        assert!((losses / runs - 5.0).abs() < 0.7, "{losses} losses in {runs} runs");
    }

    #[test]
    fn what_is_lost_anyway_is_not_called_corrupt() {
        let take = |loss: u32, corrupt: u32| {
            let quality = LinkQuality {
                loss: vec![Chance(loss)],
                corrupt: vec![Chance(corrupt)],
                ..LinkQuality::default()
            };
            Channel::default().takes(&quality, Draws::of(4))
        };
        assert_eq!(take(0, 0), None);
        assert_eq!(take(0, 1_000_000), Some(Lever::Corrupt));
        assert_eq!(take(1_000_000, 1_000_000), Some(Lever::Loss));
    }
}
