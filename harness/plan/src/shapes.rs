//! `load`: how many times its nominal rate a fleet sends, phase by phase. Every shape becomes straight lines of one curve over the run.

use std::{collections::BTreeMap, f64::consts::TAU, time::Duration};

use document::{Problem, Problems, Sp, Span};
use model::{
    Micros,
    load::{Load, NOMINAL, Piece},
    plan::{Phase, PhaseEnd},
};

use crate::{
    grammar::{Bursts, Diurnal, Ramp, Rate, Shape, Steps},
    names,
};

/// Straight lines of a fleet's curve.
const PIECES_MAX: u128 = 10_000;
/// Straight lines of one period of a sine, as hours of a day: they leave it by less than 0.9 % of its swing, and keep its mean.
const PIECES_OF_A_SINE: u32 = 24;

/// A shape whose words are all there.
#[derive(Clone, Copy, Debug)]
enum Form {
    Level(u32),
    Ramp { from: Option<u32>, to: u32 },
    Steps { from: Option<u32>, to: u32, count: u32 },
    Diurnal { period: Duration, low: u32, high: u32 },
    Bursts { rate: u32, lasts: Duration, every: Duration, between: u32 },
}

/// The curve of a fleet's load over the run.
pub(crate) fn build(raw: &[Sp<Shape>], phases: &[Phase], problems: &mut Problems) -> Load {
    let before = problems.len();
    let mut forms: BTreeMap<usize, (Form, &Sp<Shape>)> = BTreeMap::new();
    for shape in raw {
        let at = phase(shape, phases, problems);
        let form = form(shape, problems);
        let (Some(at), Some(form)) = (at, form) else { continue };
        if let Some((_, first)) = forms.get(&at) {
            let message = format!("the load in `{}` is said twice", phases[at].name);
            let problem = Problem::new("duplicate", shape.span, message).label("again here");
            let help = "Keep one of them, or divide the phase into two";
            problems.push(problem.note(first.span, "first here").help(help));
            continue;
        }
        forms.insert(at, (form, shape));
    }
    if forms.is_empty() || problems.len() > before {
        return Load::default();
    }
    let mut curve = Curve::default();
    for (number, phase) in phases.iter().enumerate() {
        let (from, to) = (Micros::after(phase.start), Micros::after(phase.end.latest()));
        match forms.get(&number) {
            Some((form, shape)) if !curve.has_room(form, (from, to)) => {
                let message = format!("the load in `{}` has too many turns", phase.name);
                let problem = Problem::new("range", shape.span, message).label("too fine");
                let help = format!(
                    "A load is made of at most {PIECES_MAX} straight lines: take a longer period"
                );
                problems.push(problem.help(help));
            }
            Some((form, _)) => curve.draw(form, (from, to)),
            None => curve.level(from, NOMINAL),
        }
    }
    let end = phases.last().map_or(Duration::ZERO, |phase| phase.end.latest());
    curve.level(Micros::after(end), NOMINAL);
    Load(curve.pieces)
}

/// Which phase a shape is for.
fn phase(shape: &Sp<Shape>, phases: &[Phase], problems: &mut Problems) -> Option<usize> {
    let Some(name) = &shape.value.during else {
        names::missing("a load", "during", shape.span, "baseline", problems);
        return None;
    };
    let declared = phases.iter().map(|phase| phase.name.as_str());
    if !names::known("phase", name, name.span, declared, problems) {
        return None;
    }
    let at = phases.iter().position(|phase| phase.name.as_str() == name.value)?;
    if matches!(phases[at].end, PhaseEnd::Quiesced { .. }) {
        let message = format!("nothing is sent in `{}`", name.value);
        let problem = Problem::new("logic", name.span, message).label("sending has stopped");
        problems.push(problem.help("Give the phase a `for:` instead, or leave the load out"));
        return None;
    }
    Some(at)
}

/// The one shape of an entry.
fn form(shape: &Sp<Shape>, problems: &mut Problems) -> Option<Form> {
    let (span, form) = match &forms(&shape.value)[..] {
        [(span, form)] => (*span, *form),
        // Its mistake was told as it was read.
        [] if is_told(shape.span, problems) => return None,
        [] => {
            let problem = Problem::new("missing", shape.span, "a load without a shape");
            let help =
                "Add one of `rate`, `ramp`, `steps`, `diurnal`, `bursts`, such as `rate: 3x`";
            problems.push(problem.label("how much is sent?").help(help));
            return None;
        }
        [(first, _), (second, _), ..] => {
            let problem = Problem::new("logic", *second, "a load has one shape")
                .label("a second one")
                .note(*first, "the first");
            problems.push(problem.help("Keep one of them, or divide the phase into two"));
            return None;
        }
    };
    let (message, help) = match form {
        Form::Diurnal { low, high, .. } if low > high => {
            ("the low of the day is above its high", "Exchange them")
        }
        Form::Bursts { lasts, every, .. } if lasts >= every => (
            "a burst lasts as long as its period or longer",
            "Write a `for` shorter than `every`, or a level `rate`",
        ),
        _ => return Some(form),
    };
    problems.push(Problem::new("range", span, message).label("impossible").help(help));
    None
}

/// Whether something in the span is known to be wrong.
fn is_told(at: Span, problems: &Problems) -> bool {
    problems
        .iter()
        .map(|problem| problem.span)
        .any(|span| span.source == at.source && at.start <= span.start && span.end <= at.end)
}

/// Every shape that stands in an entry, and where.
fn forms(shape: &Shape) -> Vec<(Span, Form)> {
    let Shape { during: _, rate, ramp, steps, diurnal, bursts } = shape;
    let level = rate.map(|rate| (rate.span, Form::Level(parts(rate.value))));
    let ramp = ramp.map(|Sp { value: Ramp { from, to }, span }| {
        (span, Form::Ramp { from: from.map(parts), to: parts(to) })
    });
    let steps = steps.map(|Sp { value: Steps { from, to, count }, span }| {
        (span, Form::Steps { from: from.map(parts), to: parts(to), count: *count })
    });
    let diurnal = diurnal.map(|Sp { value: Diurnal { period, low, high }, span }| {
        (span, Form::Diurnal { period: period.into(), low: parts(low), high: parts(high) })
    });
    let bursts = bursts.map(|Sp { value: Bursts { rate, lasts, every, between }, span }| {
        let (rate, between) = (parts(rate), between.map_or(NOMINAL, parts));
        (span, Form::Bursts { rate, lasts: lasts.into(), every: every.into(), between })
    });
    [level, ramp, steps, diurnal, bursts].into_iter().flatten().collect()
}

/// In millionths of the nominal rate.
fn parts(rate: Rate) -> u32 {
    rate.0
}

/// A curve while it is drawn, from left to right.
#[derive(Default)]
struct Curve {
    pieces: Vec<Piece>,
}

impl Curve {
    /// The rate at the end of what is drawn.
    fn end(&self) -> u32 {
        self.pieces.last().map_or(NOMINAL, |piece| piece.to)
    }

    fn line(&mut self, at: Micros, from: u32, to: u32) {
        let goes_on = |last: &Piece| last.from == last.to && (last.to, from) == (from, to);
        if !self.pieces.last().is_some_and(goes_on) {
            self.pieces.push(Piece { at, from, to });
        }
    }

    fn level(&mut self, at: Micros, rate: u32) {
        self.line(at, rate, rate);
    }

    fn has_room(&self, form: &Form, (from, to): (Micros, Micros)) -> bool {
        let lasts = to.since(from).as_micros();
        let periods = |period: Duration| lasts / period.as_micros().max(1) + 1;
        let needed = match form {
            Form::Level(_) | Form::Ramp { .. } => 1,
            Form::Steps { count, .. } => u128::from(*count),
            Form::Diurnal { period, .. } => periods(*period) * u128::from(PIECES_OF_A_SINE),
            Form::Bursts { every, .. } => periods(*every) * 2,
        };
        self.pieces.len() as u128 + needed <= PIECES_MAX
    }

    fn draw(&mut self, form: &Form, (from, to): (Micros, Micros)) {
        let lasts = to.0 - from.0;
        match *form {
            Form::Level(rate) => self.level(from, rate),
            Form::Ramp { from: first, to: last } => {
                self.line(from, first.unwrap_or(self.end()), last);
            }
            Form::Steps { from: first, to: last, count } => {
                let first = i64::from(first.unwrap_or(self.end()));
                let (rise, gaps) = (i64::from(last) - first, i64::from(count) - 1);
                for step in 0..=gaps {
                    let rate = (first + rise * step / gaps.max(1)).unsigned_abs();
                    let at = Micros(from.0 + lasts * step / (gaps + 1));
                    self.level(at, u32::try_from(rate).unwrap_or(u32::MAX));
                }
            }
            Form::Diurnal { period, low, high } => {
                self.sine(Micros::after(period).0, (low, high), (from, to));
            }
            Form::Bursts { rate, lasts: burst, every, between } => {
                let (burst, every) = (Micros::after(burst).0, Micros::after(every).0);
                for begins in (0..).map(|number| number * every).take_while(|at| *at < lasts) {
                    self.level(Micros(from.0 + begins), rate);
                    if begins + burst < lasts {
                        self.level(Micros(from.0 + begins + burst), between);
                    }
                }
            }
        }
    }

    fn sine(&mut self, period: i64, (low, high): (u32, u32), (from, to): (Micros, Micros)) {
        let (mean, swing) = ((f64::from(low) + f64::from(high)) / 2.0, f64::from(high - low) / 2.0);
        let rate = |turn: i64| {
            let part = turn as f64 / f64::from(PIECES_OF_A_SINE);
            mean + swing * (TAU * part).sin()
        };
        let at = |turn: i64| from.0 + turn * period / i64::from(PIECES_OF_A_SINE);
        for turn in (0..).take_while(|turn| at(*turn) < to.0) {
            let (begins, ends) = (at(turn), at(turn + 1));
            // The last one may be cut short by the end of the phase.
            let drawn = (ends.min(to.0) - begins) as f64 / (ends - begins) as f64;
            let end = rate(turn) + (rate(turn + 1) - rate(turn)) * drawn;
            self.line(Micros(begins), rate(turn).round() as u32, end.round() as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(form: Form) -> Vec<(i64, u32, u32)> {
        let mut curve = Curve::default();
        curve.level(Micros::ZERO, 2 * NOMINAL);
        curve.draw(&form, (Micros(10_000_000), Micros(20_000_000)));
        curve.pieces[1..].iter().map(|piece| (piece.at.0, piece.from, piece.to)).collect()
    }

    #[test]
    fn every_shape_is_straight_lines() {
        assert_eq!(drawn(Form::Level(3_000_000)), [(10_000_000, 3_000_000, 3_000_000)]);
        // From the rate before it.
        assert_eq!(
            drawn(Form::Ramp { from: None, to: 500_000 }),
            [(10_000_000, 2_000_000, 500_000)]
        );
        assert_eq!(
            drawn(Form::Steps { from: Some(1_000_000), to: 2_000_000, count: 4 }),
            [
                (10_000_000, 1_000_000, 1_000_000),
                (12_500_000, 1_333_333, 1_333_333),
                (15_000_000, 1_666_666, 1_666_666),
                (17_500_000, 2_000_000, 2_000_000)
            ]
        );
        let (second, second_and_half) = (Duration::from_secs(6), Duration::from_millis(1_500));
        assert_eq!(
            drawn(Form::Bursts {
                rate: 5_000_000,
                lasts: second_and_half,
                every: second,
                between: NOMINAL
            }),
            [
                (10_000_000, 5_000_000, 5_000_000),
                (11_500_000, 1_000_000, 1_000_000),
                (16_000_000, 5_000_000, 5_000_000),
                (17_500_000, 1_000_000, 1_000_000)
            ]
        );
        let day =
            drawn(Form::Diurnal { period: Duration::from_secs(8), low: 700_000, high: 1_300_000 });
        assert_eq!(day.len(), 30);
        assert_eq!(day[0], (10_000_000, 1_000_000, 1_077_646));
        assert!(day.iter().any(|(_, from, _)| *from == 1_300_000));
        assert!(day.iter().any(|(_, from, _)| *from == 700_000));
        assert!(day.windows(2).all(|two| two[0].2 == two[1].1), "{day:?}");
    }
}
