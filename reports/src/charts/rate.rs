//! Acked and unanswered readings per second of intended time, and the backlog of what waits for more than theta.

use plotters::prelude::*;

use super::{
    seconds,
    sheet::{Axis, BAD, FAINT, GOOD, INK, LEFT, PURPLE, drawn, lane, shade, sheet, text},
};
use crate::RunView;

const HEIGHT: u32 = 150;

pub(super) fn draw(run: &RunView<'_>) -> String {
    let (findings, charts) = (run.findings, &run.findings.charts);
    let sum = |of: &dyn Fn(&findings::PerSecond) -> &Vec<u32>| -> Vec<f64> {
        let at = |second| {
            charts
                .regions
                .values()
                .map(|series| f64::from(of(series).get(second).copied().unwrap_or(0)))
                .sum()
        };
        (0..seconds(findings)).map(at).collect()
    };
    let (acked, failed) = (sum(&|series| &series.acked), sum(&|series| &series.failed));
    let backlog: Vec<f64> = charts.backlog.iter().map(|n| *n as f64).collect();
    let top = acked.iter().chain(&failed).chain(&backlog).copied().fold(1.0, f64::max) * 1.1;
    sheet(HEIGHT, |area| {
        let axis = Axis::of(findings);
        let built = lane(area).build_cartesian_2d(axis.range(), 0.0..top);
        let mut chart = drawn(built);
        let style = ("sans-serif", 10.0).into_font().color(&INK);
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT.mix(0.7))
            .axis_style(INK.mix(0.5))
            .label_style(style)
            .y_labels(4)
            .x_labels(14);
        drawn(
            mesh.x_label_formatter(&|x| format!("{x:.0}"))
                .y_label_formatter(&|y| format!("{y:.0}"))
                .draw(),
        );
        shade(area, run, 18, HEIGHT as i32 - 22);
        let points = |values: &[f64]| -> Vec<(f64, f64)> {
            values
                .iter()
                .enumerate()
                .map(|(s, value)| (findings.start as f64 / 1e6 + s as f64 + 0.5, *value))
                .collect()
        };
        drawn(chart.draw_series(
            AreaSeries::new(points(&acked), 0.0, GOOD.mix(0.15)).border_style(GOOD.stroke_width(2)),
        ));
        drawn(chart.draw_series(LineSeries::new(points(&failed), BAD.stroke_width(2))));
        drawn(chart.draw_series(LineSeries::new(points(&backlog), PURPLE.stroke_width(2))));
        let mut x = LEFT;
        for (name, color) in [("acked", GOOD), ("never acked", BAD), ("backlog", PURPLE)] {
            text(area, (x, 4), 10.5, color, name);
            x += 16 + 7 * name.len() as i32;
        }
    })
}
