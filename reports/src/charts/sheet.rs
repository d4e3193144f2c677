//! The common frame of all lanes.

use findings::{
    Findings,
    facts::{Proof, Window},
};
use plotters::{
    coord::Shift,
    prelude::*,
    style::{RGBAColor, RGBColor},
};

use crate::RunView;

pub(super) const WIDTH: u32 = 1160;
/// Left of the plot: names of lanes and ticks. Right: room for the last tick's label.
pub(super) const LEFT: i32 = 130;
pub(super) const RIGHT: i32 = 24;

pub(super) const GOOD: RGBColor = RGBColor(47, 158, 91);
pub(super) const SLOW: RGBColor = RGBColor(224, 160, 12);
pub(super) const BAD: RGBColor = RGBColor(208, 58, 66);
pub(super) const BLUE: RGBColor = RGBColor(59, 125, 221);
pub(super) const PURPLE: RGBColor = RGBColor(138, 93, 209);
pub(super) const INK: RGBColor = RGBColor(70, 76, 92);
pub(super) const FAINT: RGBColor = RGBColor(215, 220, 229);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Drawing into memory cannot fail; a plotters error here would be a mistake of ours.
pub(super) fn drawn<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| unreachable!("drawing into a string: {error}"))
}

/// Draws a sheet of this height.
pub(super) fn sheet(height: u32, draw: impl FnOnce(&Area<'_>)) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area);
        drawn(area.present());
    }
    svg
}

/// Seconds of the run's clock to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    start: f64,
    end: f64,
}

impl Axis {
    pub(super) fn of(findings: &Findings) -> Self {
        Self {
            start: findings.start as f64 / 1e6,
            end: findings.end.max(findings.start + 1_000_000) as f64 / 1e6,
        }
    }

    pub(super) fn range(self) -> std::ops::Range<f64> {
        self.start..self.end
    }

    /// Horizontal pixel of a moment in microseconds, kept inside the plot.
    pub(super) fn x(self, us: i64) -> i32 {
        let share = ((us as f64 / 1e6 - self.start) / (self.end - self.start)).clamp(0.0, 1.0);
        LEFT + (share * f64::from(WIDTH as i32 - LEFT - RIGHT)) as i32
    }
}

/// A lane with a chart of plotters' own: room for a legend above, names on the left, seconds below.
pub(super) fn lane<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin_top(18).margin_right(RIGHT).set_label_area_size(LabelAreaPosition::Left, LEFT);
    builder.set_label_area_size(LabelAreaPosition::Bottom, 22);
    builder
}

/// What the fault was asked to do, lightly; what was proven, stronger.
pub(super) fn shade(area: &Area<'_>, run: &RunView<'_>, top: i32, bottom: i32) {
    let axis = Axis::of(run.findings);
    for window in &run.findings.happened.windows {
        let (color, end) = (color_of(window), window.healed.unwrap_or(run.findings.end));
        bar(area, (axis.x(window.asked), top), (axis.x(end), bottom), color.mix(0.08));
        if let Some(effect) = window.effect {
            bar(area, (axis.x(effect), top), (axis.x(end), bottom), color.mix(0.10));
        }
    }
}

pub(super) fn color_of(window: &Window) -> RGBColor {
    match window.proof {
        Proof::Proven => BAD,
        Proof::Unproven => INK,
        Proof::Masked => PURPLE,
    }
}

pub(super) fn bar(area: &Area<'_>, from: (i32, i32), to: (i32, i32), color: RGBAColor) {
    drawn(area.draw(&Rectangle::new([from, (to.0.max(from.0 + 1), to.1)], color.filled())));
}

pub(super) fn text(area: &Area<'_>, at: (i32, i32), size: f64, color: RGBColor, words: &str) {
    drawn(area.draw(&Text::new(
        words.to_owned(),
        at,
        ("sans-serif", size).into_font().color(&color),
    )));
}

/// Text that ends at `at`: names of lanes.
pub(super) fn text_before(area: &Area<'_>, at: (i32, i32), words: &str) {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let style = ("sans-serif", 11.0).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Top));
    drawn(area.draw(&Text::new(words.to_owned(), at, style)));
}

/// Seconds below a sheet that has no chart of plotters' own.
pub(super) fn seconds_axis(area: &Area<'_>, axis: Axis, y: i32) {
    let (from, to) = (axis.start, axis.end);
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0]
        .into_iter()
        .find(|step| (to - from) / step <= 14.0)
        .unwrap_or(7200.0);
    let mut at = (from / step).ceil() * step;
    while at <= to {
        let x = axis.x((at * 1e6) as i64);
        drawn(area.draw(&PathElement::new(vec![(x, y), (x, y + 4)], INK)));
        text(area, (x - 6, y + 6), 10.0, INK, &format!("{at:.0}"));
        at += step;
    }
}
