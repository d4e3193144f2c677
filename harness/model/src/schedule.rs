//! The intended schedule: a pure function of the plan. It can be printed before a run, is never stored in it, and reads a ledger afterwards.
//!
//! Every draw is keyed by (seed, fleet, asset, stream, purpose, index), so that adding a stream or an asset changes nobody else's
//! draws: fleets and streams count by their names, assets by their place within the fleet. Times are computed in integers only, so
//! that another program (`docs/guide/read_ledger.py`) arrives at the same microsecond.
//!
//! Reading `i` of asset `a` and stream `s` is generated at `t_i = phi(a, s) + i * every + J_i`, with `phi` uniform in `[0, every)`
//! (zero when aligned) and `J_i` uniform in `[-jitter, jitter]`, never accumulated. A jitter above half the interval is cut to that:
//! readings are numbered in order of their intended times.
//!
//! A fleet with a load sends along [nominal time](crate::load::Warp): the same `t_i` is reached earlier where the rate is above the nominal one,
//! later where it is below. Intervals, phases and jitter stretch and shrink together, so that the order holds, and without a load nothing changes.

use std::{collections::BTreeMap, f64::consts::TAU, time::Duration};

use crate::{
    FleetId, Identity, Micros, Plan, envelope,
    load::Warp,
    plan::{Backoff, BackoffJitter, Fleet, Payload, Stream, StreamPhase},
};

/// What a draw decides. The numbers are part of the ledger's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Phase = 1,
    Jitter = 2,
    Payload = 3,
    Backoff = 4,
    Failback = 5,
    /// Which nodes a fault hits.
    Target = 6,
    /// What becomes of one message of a pretended link.
    Message = 7,
    /// How a way changes by the clock.
    Track = 8,
}

/// A place in the tree of random choices. Equal keys give equal draws, whatever else is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws(u64);

impl Draws {
    pub fn of(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The branch with this number.
    #[must_use]
    pub fn then(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number)))
    }

    /// The branch with this name, by the FNV-1a hash of its bytes.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.then(hash)
    }

    /// Uniform over all 64 bits.
    pub fn bits(self, purpose: Purpose, index: u64) -> u64 {
        self.then(purpose as u64).then(index).0
    }

    /// Uniform in `0..bound` (zero for a bound of zero), by the high half of the product; off by less than `bound / 2^64`.
    pub fn below(self, bound: u64, purpose: Purpose, index: u64) -> u64 {
        let product = u128::from(self.bits(purpose, index)) * u128::from(bound);
        u64::try_from(product >> 64).expect("the product of two 64-bit numbers has 128 bits")
    }

    /// Uniform in [0, 1), in steps of 2^-53.
    pub fn unit(self, purpose: Purpose, index: u64) -> f64 {
        (self.bits(purpose, index) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by the Box-Muller transform.
    pub fn normal(self, purpose: Purpose, index: u64) -> f64 {
        let branch = self.then(purpose as u64).then(index);
        let radius = (-2.0 * (1.0 - branch.unit(purpose, 0)).ln()).sqrt();
        radius * (TAU * branch.unit(purpose, 1)).cos()
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The schedules of all fleets of a plan, by asset id.
#[derive(Clone, Debug)]
pub struct Schedule {
    stop: Micros,
    /// By the first asset id of the fleet.
    fleets: BTreeMap<u32, FleetSchedule>,
}

#[derive(Clone, Debug)]
struct FleetSchedule {
    assets: u32,
    draws: Draws,
    warp: Warp,
    streams: Vec<(Stream, Draws)>,
}

/// The readings of one stream of one asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Series<'a> {
    warp: &'a Warp,
    phase: i64,
    every: i64,
    jitter: i64,
    stop: Micros,
    payload: Payload,
    draws: Draws,
}

impl Schedule {
    pub fn new(plan: &Plan) -> Self {
        let root = Draws::of(plan.seed);
        let fleets = plan
            .fleets
            .iter()
            .map(|(name, fleet)| (fleet.first, FleetSchedule::new(root, name, fleet)));
        Self { stop: Micros::after(plan.stop()), fleets: fleets.collect() }
    }

    /// Nothing is generated at this moment or later.
    pub fn stop(&self) -> Micros {
        self.stop
    }

    /// The series of a stream (numbered within its fleet); None where the plan has none.
    pub fn series(&self, asset: u32, stream: u16) -> Option<Series<'_>> {
        let (number, fleet) = self.fleet(asset)?;
        let (stream, draws) = fleet.streams.get(usize::from(stream))?;
        Some(Series::new(stream, draws.then(u64::from(number)), &fleet.warp, self.stop))
    }

    /// Who a reading is. Its boot says how often its asset had booted when it was generated: no plan has reboots yet.
    pub fn identity(&self, asset: u32, stream: u16, seq: u64) -> Identity {
        Identity { asset, stream, boot: 1, seq }
    }

    /// Draws that belong to the asset itself: backoff, failback.
    pub fn asset(&self, asset: u32) -> Option<Draws> {
        let (number, fleet) = self.fleet(asset)?;
        Some(fleet.draws.then(u64::from(number)))
    }

    /// Every series, by asset and stream.
    pub fn all(&self) -> impl Iterator<Item = (u32, u16, Series<'_>)> + '_ {
        self.fleets.iter().flat_map(move |(first, fleet)| {
            (0..fleet.assets).flat_map(move |number| {
                (0u16..).zip(&fleet.streams).map(move |(index, (stream, draws))| {
                    (
                        first + number,
                        index,
                        Series::new(stream, draws.then(u64::from(number)), &fleet.warp, self.stop),
                    )
                })
            })
        })
    }

    fn fleet(&self, asset: u32) -> Option<(u32, &FleetSchedule)> {
        let (first, fleet) = self.fleets.range(..=asset).next_back()?;
        let number = asset - first;
        (number < fleet.assets).then_some((number, fleet))
    }
}

impl FleetSchedule {
    fn new(root: Draws, name: &FleetId, fleet: &Fleet) -> Self {
        let draws = root.named(name.as_str());
        let streams =
            fleet.streams.iter().map(|stream| (stream.clone(), draws.named(stream.name.as_str())));
        let warp = Warp::of(&fleet.load);
        Self { assets: fleet.assets, draws, warp, streams: streams.collect() }
    }
}

impl<'a> Series<'a> {
    fn new(stream: &Stream, draws: Draws, warp: &'a Warp, stop: Micros) -> Self {
        let every = Micros::after(stream.every).0.max(1);
        let phase = match stream.phase {
            StreamPhase::Random => {
                draws.below(every.unsigned_abs(), Purpose::Phase, 0).cast_signed()
            }
            StreamPhase::Aligned => 0,
        };
        Self {
            warp,
            phase,
            every,
            jitter: Micros::after(stream.jitter).0.min(every / 2),
            stop,
            payload: stream.payload,
            draws,
        }
    }

    /// Nothing is generated at this moment or later.
    pub fn stop(&self) -> Micros {
        self.stop
    }

    /// Intended time of a reading, also past the stop.
    pub fn at(&self, seq: u64) -> Micros {
        self.warp.real(self.nominal(seq))
    }

    /// The same in nominal time.
    fn nominal(&self, seq: u64) -> Micros {
        let grid = self.grid(seq);
        if self.jitter == 0 {
            return Micros(grid.max(0));
        }
        let width = 2 * self.jitter.unsigned_abs() + 1;
        let shift = self.draws.below(width, Purpose::Jitter, seq).cast_signed() - self.jitter;
        Micros(grid.saturating_add(shift).max(0))
    }

    /// Without jitter.
    fn grid(&self, seq: u64) -> i64 {
        i64::try_from(seq).unwrap_or(i64::MAX).saturating_mul(self.every).saturating_add(self.phase)
    }

    /// How many readings are intended before `t` and before the stop: the `seq` of the first one that is not.
    pub fn before(&self, t: Micros) -> u64 {
        // What is intended before `t` is due by the microsecond before it.
        let last = Micros(t.min(self.stop).0.saturating_sub(1));
        let t = Micros(self.warp.nominal(last).0.saturating_add(1));
        if t.0 <= 0 {
            return 0;
        }
        // What jitter cannot bring to `t` is before it without a draw; what jitter cannot bring before `t` is not. Few are between.
        let surely = t.0.saturating_sub(self.phase).saturating_sub(self.jitter);
        let mut count =
            surely.saturating_add(self.every - 1).max(0).unsigned_abs() / self.every.unsigned_abs();
        while self.grid(count).saturating_sub(self.jitter) < t.0 && self.nominal(count) < t {
            count += 1;
        }
        count
    }

    /// How many there are in all.
    pub fn count(&self) -> u64 {
        self.before(self.stop)
    }

    /// Intended times, in order.
    pub fn times(self) -> impl Iterator<Item = (u64, Micros)> + 'a {
        (0..).map(move |seq| (seq, self.at(seq))).take_while(move |(_, at)| *at < self.stop)
    }

    /// Bytes of a reading's payload, envelope included; never less than the envelope nor more than it can say.
    /// `ln size = ln p50 + z ln(p99 / p50) / z(0.99)` with a standard normal `z`.
    pub fn payload(&self, seq: u64) -> u32 {
        const Z99: f64 = 2.326_347_874_040_841;
        let (least, most) =
            (envelope::LENGTH as u32, envelope::LENGTH as u32 + u32::from(u16::MAX));
        let Payload { p50, p99 } = self.payload;
        if p99 <= p50 {
            return p50.clamp(least, most);
        }
        let sigma = (f64::from(p99) / f64::from(p50.max(1))).ln() / Z99;
        let size = f64::from(p50) * (sigma * self.draws.normal(Purpose::Payload, seq)).exp();
        (size.round() as u32).clamp(least, most)
    }
}

/// Wait before the `n`-th try to connect, from 0; `index` makes the draw its own.
pub fn backoff(policy: &Backoff, n: u32, draws: Draws, index: u64) -> Duration {
    let grown = policy.base.as_secs_f64() * policy.factor.powf(f64::from(n));
    let wait = grown.min(policy.max.as_secs_f64()).max(0.0);
    let share = draws.unit(Purpose::Backoff, index);
    Duration::from_secs_f64(match policy.jitter {
        BackoffJitter::None => wait,
        BackoffJitter::Full => wait * share,
        BackoffJitter::Equal => wait * (0.5 + 0.5 * share),
    })
}

/// Shares `total` exactly, by largest remainder (the earlier one where remainders are equal). Weights need not sum to one; without
/// any positive weight all get nothing.
pub fn apportion(total: u32, weights: &[f64]) -> Vec<u32> {
    let sum: f64 = weights.iter().map(|weight| weight.max(0.0)).sum();
    if sum <= 0.0 {
        return vec![0; weights.len()];
    }
    let exact: Vec<f64> =
        weights.iter().map(|weight| f64::from(total) * weight.max(0.0) / sum).collect();
    let mut shares: Vec<u32> = exact.iter().map(|share| share.floor() as u32).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let left = total.saturating_sub(shares.iter().sum());
    for at in order.into_iter().filter(|at| weights[*at] > 0.0).cycle().take(left as usize) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests;
