//! The load of a fleet over a run: how many times its nominal rate it sends, and what that makes of its schedule.

use serde::{Deserialize, Serialize};

use crate::Micros;

/// The nominal rate, as a [`Piece`] counts rates.
pub const NOMINAL: u32 = 1_000_000;
/// Nothing in a plan is later than this, about 115 days: products of times and rates stay within 128 bits.
const LATEST: i64 = 10_000_000_000_000;

/// The rate of a fleet as a multiple of the nominal rates of its streams, piece by piece; without any piece it is nominal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Load(pub Vec<Piece>);

/// From here until the next piece begins the rate goes in a straight line; the last piece is level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub at: Micros,
    /// Rate at its beginning, in millionths of the nominal rate.
    pub from: u32,
    /// Rate at its end.
    pub to: u32,
}

impl Load {
    /// Whether the rate is nominal for all of the run.
    pub fn is_nominal(&self) -> bool {
        self.0.iter().all(|piece| (piece.from, piece.to) == (NOMINAL, NOMINAL))
    }
}

/// What the stack carries, as the scenario says: all fleets together send to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// mu: readings per second that it acks in time.
    pub readings_per_s: f64,
    /// C: connections per second that one region accepts, where that is known.
    pub connects_per_s: Option<f64>,
    /// Q: connections that may wait to be accepted, where that is known.
    pub queue: Option<u32>,
}

/// What a load makes of time. **Nominal time** is the integral of the rate: it passes as fast as a clock at the nominal rate, and twice
/// as fast at `2x`. A reading that is due at `n` without a load is due under it once `n` microseconds of nominal time have passed.
///
/// Integers only: another program arrives at the same microsecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warp {
    knots: Vec<Knot>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Knot {
    at: i64,
    /// Twice the integral of the rate until here, in millionths of a microsecond: halves of a straight line's area are whole numbers.
    done: i128,
    from: i128,
    to: i128,
    /// Microseconds until the next one; of the last one, `i64::MAX`.
    lasts: i64,
}

/// Of [`Knot::done`] in a microsecond of nominal time.
const WHOLE: i128 = 2 * NOMINAL as i128;

impl Warp {
    /// Pieces that do not come in order, or later than any plan lasts, are left out.
    pub fn of(load: &Load) -> Self {
        if load.is_nominal() {
            return Self::default();
        }
        let start = Piece { at: Micros::ZERO, from: NOMINAL, to: NOMINAL };
        let mut pieces = vec![start];
        for piece in load.0.iter().filter(|piece| (0..=LATEST).contains(&piece.at.0)) {
            match pieces.last_mut() {
                Some(last) if piece.at.0 == 0 && last.at.0 == 0 => *last = *piece,
                Some(last) if last.at < piece.at => pieces.push(*piece),
                _ => {}
            }
        }
        let ends = pieces.iter().skip(1).map(|piece| piece.at.0).chain([i64::MAX]);
        let mut done = 0;
        let knots = pieces.iter().zip(ends).map(|(piece, end)| {
            let (from, lasts) = (i128::from(piece.from), end.saturating_sub(piece.at.0));
            let to = if end == i64::MAX { from } else { i128::from(piece.to) };
            let knot = Knot { at: piece.at.0, done, from, to, lasts };
            done += (from + to) * i128::from(lasts);
            knot
        });
        Self { knots: knots.collect() }
    }

    /// Whether it changes nothing.
    pub fn is_nominal(&self) -> bool {
        self.knots.is_empty()
    }

    /// Whole microseconds of nominal time that have passed at `t`.
    pub fn nominal(&self, t: Micros) -> Micros {
        let Some(knot) = self.knot(|knot| knot.at <= t.0) else { return t };
        let passed = knot.done + knot.until(i128::from(t.0.saturating_sub(knot.at)));
        Micros(i64::try_from(passed.div_euclid(WHOLE)).unwrap_or(i64::MAX))
    }

    /// The first moment at which so much nominal time has passed; never, [`Micros::MAX`].
    pub fn real(&self, nominal: Micros) -> Micros {
        let wanted = i128::from(nominal.0) * WHOLE;
        let Some(knot) = self.knot(|knot| knot.done < wanted) else {
            return if self.is_nominal() { nominal } else { Micros::ZERO };
        };
        Micros(knot.at.saturating_add(knot.first(wanted - knot.done)))
    }

    /// How long a stream with readings every `every` waits at `t` for its next one: so much nominal time passes meanwhile.
    pub fn interval(&self, t: Micros, every: Micros) -> Micros {
        if self.is_nominal() {
            return every;
        }
        let next = self.real(Micros(self.nominal(t).0.saturating_add(every.0)));
        Micros(next.0.saturating_sub(t.0))
    }

    /// No interval of such a stream in the span is longer than this.
    pub fn slowest(&self, every: Micros, (from, to): (Micros, Micros)) -> Micros {
        let (least, _) = self.rates((from, to));
        let asked = u128::from(every.0.max(0).unsigned_abs()) * u128::from(NOMINAL);
        Micros(up(asked, least.into()))
    }

    /// The lowest and the highest rate in the span, in millionths of the nominal rate.
    pub fn rates(&self, (from, to): (Micros, Micros)) -> (u32, u32) {
        let to = to.max(Micros(from.0.saturating_add(1)));
        let inside = |knot: &&Knot| knot.at < to.0 && from.0 < knot.at.saturating_add(knot.lasts);
        let ends = self.knots.iter().filter(inside).flat_map(|knot| {
            let at = |t: i64| knot.rate(t.saturating_sub(knot.at).clamp(0, knot.lasts));
            [at(from.0), at(to.0)]
        });
        let (least, most) =
            ends.fold((u32::MAX, 0), |(least, most), rate| (least.min(rate), most.max(rate)));
        if most == 0 && least == u32::MAX { (NOMINAL, NOMINAL) } else { (least, most) }
    }

    /// The last one that is so; those that are come first.
    fn knot(&self, holds: impl Fn(&Knot) -> bool) -> Option<&Knot> {
        self.knots.get(self.knots.partition_point(holds).checked_sub(1)?)
    }
}

impl Knot {
    fn is_level(&self) -> bool {
        self.from == self.to
    }

    /// Twice the integral over its first `x` microseconds.
    fn until(&self, x: i128) -> i128 {
        let level = 2 * self.from * x;
        if self.is_level() {
            return level;
        }
        level + ((self.to - self.from) * x * x).div_euclid(i128::from(self.lasts))
    }

    fn rate(&self, x: i64) -> u32 {
        let grown = match self.is_level() {
            true => 0,
            false => (self.to - self.from) * i128::from(x) / i128::from(self.lasts),
        };
        u32::try_from(self.from + grown).unwrap_or(u32::MAX)
    }

    /// The least `x` at which [`Self::until`] has reached `wanted`, which is more than nothing.
    fn first(&self, wanted: i128) -> i64 {
        if self.is_level() {
            return up(wanted.unsigned_abs(), 2 * self.from.unsigned_abs());
        }
        let lasts = i128::from(self.lasts);
        let (bend, aim) = (self.to - self.from, wanted * lasts);
        // The square is compared as it is: nothing is rounded.
        let reaches = |x: i64| {
            let x = i128::from(x);
            2 * self.from * lasts * x + bend * x * x >= aim
        };
        search(self.guess(wanted), self.lasts, reaches)
    }

    /// The root of the square, in floating point: where [`Self::first`] begins to look.
    fn guess(&self, wanted: i128) -> i64 {
        let (wanted, level) = (wanted as f64, 2.0 * self.from as f64);
        let bend = (self.to - self.from) as f64 / self.lasts as f64;
        let root = (level * level + 4.0 * bend * wanted).max(0.0).sqrt();
        (2.0 * wanted / (level + root)) as i64
    }
}

/// Divided and rounded up; of nothing, never.
fn up(amount: u128, by: u128) -> i64 {
    amount
        .checked_div(by)
        .map_or(i64::MAX, |_| i64::try_from(amount.div_ceil(by)).unwrap_or(i64::MAX))
}

/// The least number from 1 to `most` that `holds`, as all above it do; the guess makes it fast and decides nothing.
fn search(guess: i64, most: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let guess = guess.clamp(1, most);
    let (mut low, mut high, mut step) = (guess - 1, guess, 1);
    while high < most && !holds(high) {
        (low, high, step) = (high, high.saturating_add(step).min(most), step * 2);
    }
    while low > 0 && holds(low) {
        (low, high, step) = ((low - step).max(0), low, step * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}
