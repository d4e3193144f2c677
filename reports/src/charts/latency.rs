//! Quantiles of ack latency per second of intended time, on a log scale. A missing answer is a mark at the top, in its own second.

use findings::PerSecond;
use plotters::prelude::*;

use super::sheet::{Axis, BAD, BLUE, FAINT, INK, LEFT, SLOW, drawn, lane, shade, sheet, text};
use crate::RunView;

const HEIGHT: u32 = 190;
const MAX: RGBColor = RGBColor(168, 174, 188);

pub(super) fn draw(run: &RunView<'_>, series: &PerSecond) -> String {
    sheet(HEIGHT, |area| {
        let axis = Axis::of(run.findings);
        let finite = || {
            [&series.p50, &series.p99, &series.max]
                .into_iter()
                .flatten()
                .flatten()
                .map(|us| ms(*us))
        };
        let low = finite().fold(f64::INFINITY, f64::min).clamp(0.01, 1.0);
        let high = finite().fold(10.0, f64::max) * 3.0;
        let built = lane(area).build_cartesian_2d(axis.range(), (low..high).log_scale());
        let mut chart = drawn(built);
        let style = ("sans-serif", 10.0).into_font().color(&INK);
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT.mix(0.7))
            .axis_style(INK.mix(0.5))
            .label_style(style)
            .y_labels(5)
            .x_labels(14);
        drawn(
            mesh.x_label_formatter(&|x| format!("{x:.0}"))
                .y_label_formatter(&|y| format!("{} ms", trim(*y)))
                .draw(),
        );
        shade(area, run, 18, HEIGHT as i32 - 22);
        for (values, color, width) in
            [(&series.max, MAX, 1), (&series.p99, SLOW, 2), (&series.p50, BLUE, 2)]
        {
            for run_of in unbroken(values, run.findings.start) {
                drawn(chart.draw_series(LineSeries::new(run_of, color.stroke_width(width))));
            }
        }
        let missing = series
            .failed
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(s, _)| (second(run.findings.start, s), high / 1.5));
        drawn(chart.draw_series(missing.map(|at| Circle::new(at, 2, BAD.filled()))));
        let mut x = LEFT;
        for (name, color) in
            [("p50", BLUE), ("p99", SLOW), ("max", MAX), ("unanswered readings", BAD)]
        {
            text(area, (x, 4), 10.5, color, name);
            x += 14 + 7 * name.len() as i32;
        }
    })
}

fn ms(us: i64) -> f64 {
    us.max(1) as f64 / 1e3
}

/// Middle of a second of the run, in seconds on its clock.
fn second(start: i64, index: usize) -> f64 {
    start as f64 / 1e6 + index as f64 + 0.5
}

/// A line stops where a second has no finite value: nothing is drawn across a gap.
fn unbroken(values: &[Option<i64>], start: i64) -> Vec<Vec<(f64, f64)>> {
    let mut lines = vec![vec![]];
    for (index, value) in values.iter().enumerate() {
        match value {
            Some(us) => {
                lines.last_mut().expect("begins with one").push((second(start, index), ms(*us)))
            }
            None => lines.push(vec![]),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn trim(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}
