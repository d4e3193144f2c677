//! A link's quality made ready for use: what holds in the present slot, with the state that draws carry from packet to packet.
//! Every link draws from a generator of its own, so that no link's traffic changes another's luck.

use std::time::Duration;

use model::{Bursts, Jitter, LinkQuality, Shape, quality::none_of};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Distributions without bounds are cut off here, in standard deviations, as netem's tables are.
const SIGMAS_MAX: f64 = 4.0;

/// What a link does at present.
#[derive(Clone, Debug)]
pub(crate) struct Impairments {
    /// Whether packets pass at all.
    pub(crate) up: bool,
    pub(crate) delay_ns: u64,
    /// The most that `delay` and jitter can hold a packet.
    pub(crate) held_max_ns: u64,
    /// Bits per second, and bytes that may wait for them.
    pub(crate) rate: Option<(u64, u64)>,
    pub(crate) mtu: Option<usize>,
    /// Packets may overtake each other.
    pub(crate) overtakes: bool,
    /// Packets have to be seen one by one to be honest: a super-packet is taken apart.
    pub(crate) per_packet: bool,
    jitter: Vec<(Jitter, f64)>,
    survival: f64,
    bursts: Vec<(Bursts, Option<bool>)>,
    corrupt: f64,
    duplicate: f64,
    reorder: f64,
}

/// What the draws decide about one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) lost: bool,
    pub(crate) corrupt: bool,
    pub(crate) twice: bool,
    /// Leaves without the delay.
    pub(crate) jumps: bool,
}

impl Drawn {
    /// Nothing happens to it by itself.
    pub(crate) fn is_plain(self) -> bool {
        self == Self::default()
    }
}

impl Impairments {
    pub(crate) fn new(quality: &LinkQuality, up: bool) -> Self {
        let LinkQuality {
            delay,
            jitter,
            loss: _,
            bursts,
            duplicate,
            corrupt,
            reorder,
            rate,
            queue: _,
            mtu,
        } = quality;
        let delay_ns = nanos(*delay);
        let happens = |chances: &[model::Chance]| 1.0 - none_of(chances);
        let spread =
            jitter.iter().map(|jitter| nanos(jitter.width).saturating_mul(reach(jitter.shape)));
        let mut impairments = Self {
            up,
            delay_ns,
            held_max_ns: spread.fold(delay_ns, u64::saturating_add),
            rate: rate.map(|rate| rate.0).zip(quality.queue_bytes()),
            mtu: mtu.map(|bytes| bytes as usize),
            overtakes: !reorder.is_empty(),
            per_packet: false,
            jitter: jitter.iter().map(|jitter| (*jitter, f64::NAN)).collect(),
            survival: quality.survival(),
            bursts: bursts.iter().map(|bursts| (*bursts, None)).collect(),
            corrupt: happens(corrupt),
            duplicate: happens(duplicate),
            reorder: happens(reorder),
        };
        impairments.per_packet = impairments.rate.is_some() || impairments.draws();
        impairments
    }

    /// Takes over the state of draws that go on unchanged: neither a slot nor another fault ends a burst.
    pub(crate) fn inherit(&mut self, old: Self) {
        hand_over(&mut self.jitter, old.jitter);
        hand_over(&mut self.bursts, old.bursts);
    }

    /// Whether anything but jitter is drawn.
    fn draws(&self) -> bool {
        self.survival < 1.0
            || !self.bursts.is_empty()
            || [self.corrupt, self.duplicate, self.reorder].iter().any(|chance| *chance > 0.0)
    }

    pub(crate) fn has_jitter(&self) -> bool {
        !self.jitter.is_empty()
    }

    /// Decides about the next packet: first every loss, then what happens to a survivor.
    pub(crate) fn draw(&mut self, random: &mut Random) -> Drawn {
        let mut drawn = Drawn { lost: random.happens(1.0 - self.survival), ..Drawn::default() };
        for (bursts, bad) in &mut self.bursts {
            drawn.lost |= moved(*bursts, bad, random);
        }
        if drawn.lost {
            return drawn;
        }
        Drawn {
            lost: false,
            corrupt: random.happens(self.corrupt),
            twice: random.happens(self.duplicate),
            jumps: random.happens(self.reorder),
        }
    }

    /// Nanoseconds in flight: the delay and every jitter, never below zero.
    pub(crate) fn held(&mut self, random: &mut Random) -> u64 {
        if self.jitter.is_empty() {
            return self.delay_ns;
        }
        let spread: f64 =
            self.jitter.iter_mut().map(|(jitter, last)| jittered(*jitter, last, random)).sum();
        // Truncation to a nanosecond and saturation at zero are meant.
        (self.delay_ns as f64 + spread) as u64
    }
}

/// Gives each draw the state of an equal one, and none to two.
fn hand_over<D: PartialEq, S>(draws: &mut [(D, S)], mut old: Vec<(D, S)>) {
    for (draw, state) in draws {
        if let Some(place) = old.iter().position(|(other, _)| other == draw) {
            *state = old.remove(place).1;
        }
    }
}

/// Moves a Gilbert-Elliott process by one packet; true where that packet is lost. It begins in its stationary distribution.
fn moved(bursts: Bursts, bad: &mut Option<bool>, random: &mut Random) -> bool {
    let was_bad = bad.unwrap_or_else(|| random.happens(bursts.share_bad()));
    let turns = random.happens(if was_bad { bursts.leave } else { bursts.enter }.as_f64());
    let is_bad = was_bad != turns;
    *bad = Some(is_bad);
    random.happens(if is_bad { bursts.bad } else { bursts.good }.as_f64())
}

/// Nanoseconds around the delay. `last` is the normal deviate behind the last draw, NaN before the first.
fn jittered(jitter: Jitter, last: &mut f64, random: &mut Random) -> f64 {
    let width = nanos(jitter.width) as f64;
    let correlation = jitter.correlation.as_f64();
    if jitter.shape == Shape::Uniform && correlation == 0.0 {
        return width * (2.0 * random.uniform() - 1.0);
    }
    let fresh = random.normal();
    let deviate = if last.is_nan() {
        fresh
    } else {
        correlation * *last + (1.0 - correlation * correlation).sqrt() * fresh
    };
    *last = deviate;
    width * shaped(jitter.shape, deviate)
}

/// The quantile of the distribution at the same rank as a normal deviate.
fn shaped(shape: Shape, deviate: f64) -> f64 {
    let normal = || deviate.clamp(-SIGMAS_MAX, SIGMAS_MAX);
    let pareto = || {
        // x = u^(-1/3) has a mean of 3/2 and a variance of 3/4 (Pareto of shape 3, scale 1).
        let above = 0.5 * libm::erfc(deviate / std::f64::consts::SQRT_2);
        ((libm::cbrt(above.max(f64::MIN_POSITIVE)).recip() - 1.5) / 0.75f64.sqrt()).min(SIGMAS_MAX)
    };
    match shape {
        Shape::Uniform => 1.0 - libm::erfc(deviate / std::f64::consts::SQRT_2),
        Shape::Normal => normal(),
        Shape::Pareto => pareto(),
        Shape::ParetoNormal => 0.25 * normal() + 0.75 * pareto(),
    }
}

/// The furthest that a draw can go, in widths.
fn reach(shape: Shape) -> u64 {
    match shape {
        Shape::Uniform => 1,
        Shape::Normal | Shape::Pareto | Shape::ParetoNormal => SIGMAS_MAX as u64,
    }
}

/// One link's generator.
#[derive(Debug)]
pub(crate) struct Random(Pcg64Mcg);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// In `[0, 1)`, 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// What cannot happen, and what must, draws nothing.
    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && (chance >= 1.0 || self.uniform() < chance)
    }

    /// By Box and Muller; the same on every machine, since `libm` does not ask the host.
    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        libm::sqrt(-2.0 * libm::log(u)) * libm::cos(std::f64::consts::TAU * v)
    }
}

/// Far beyond any run, and far from overflowing a clock.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX >> 3)
}

#[cfg(test)]
mod tests;
