//! U(t) as strips: green where nobody is out, amber where some are, red from half of the assets on.

use findings::Step;
use plotters::style::{Color, RGBColor};

use super::sheet::{Axis, BAD, GOOD, LEFT, SLOW, bar, seconds_axis, shade, sheet, text_before};
use crate::RunView;

const ROW: i32 = 13;
/// More shards than this are drawn as one strip, the fleet's.
const SHARDS_MAX: usize = 48;

pub(super) fn draw(run: &RunView<'_>) -> String {
    let charts = &run.findings.charts;
    let mut rows: Vec<(&str, &[Step])> = vec![("fleet", &run.findings.u)];
    rows.extend(charts.u_by_region.iter().map(|(name, steps)| (name.as_str(), steps.as_slice())));
    if charts.u_by_shard.len() > 1 && charts.u_by_shard.len() <= SHARDS_MAX {
        rows.extend(
            charts.u_by_shard.iter().map(|(name, steps)| (name.as_str(), steps.as_slice())),
        );
    }
    let bottom = 4 + rows.len() as i32 * ROW;
    sheet(bottom as u32 + 24, |area| {
        let axis = Axis::of(run.findings);
        for (i, (name, steps)) in rows.iter().enumerate() {
            let y = 4 + i as i32 * ROW;
            text_before(area, (LEFT - 6, y), name);
            for (at, step) in steps.iter().enumerate() {
                let end = steps.get(at + 1).map_or(run.findings.end, |next| next.t);
                bar(
                    area,
                    (axis.x(step.t), y + 1),
                    (axis.x(end), y + ROW - 2),
                    color(step).mix(0.85),
                );
            }
        }
        shade(area, run, 0, bottom);
        seconds_axis(area, axis, bottom);
    })
}

fn color(step: &Step) -> RGBColor {
    match step.out {
        0 => GOOD,
        out if 2 * out >= step.here => BAD,
        _ => SLOW,
    }
}
