//! Static charts as SVG. Every lane has the same time axis, margins and fault shading, so that they can be stacked.

mod availability;
mod lanes;
mod latency;
mod rate;
mod sheet;

use findings::Findings;

use crate::RunView;

/// One chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// File name without ending.
    pub name: String,
    pub title: String,
    pub svg: String,
}

/// All lanes of a run, top to bottom.
pub fn all(run: &RunView<'_>) -> Vec<Chart> {
    let findings = run.findings;
    if seconds(findings) == 0 {
        return vec![];
    }
    let mut charts = vec![
        Chart {
            name: "timeline".into(),
            title: "Phases, faults as asked and as proven, leaders".into(),
            svg: lanes::draw(run),
        },
        Chart {
            name: "availability".into(),
            title: "Share of assets in outage, by region and shard".into(),
            svg: availability::draw(run),
        },
    ];
    for (region, series) in &findings.charts.regions {
        let title = format!("Ack latency from the intended time, home region {region} (log scale)");
        charts.push(Chart {
            name: format!("latency-{region}"),
            title,
            svg: latency::draw(run, series),
        });
    }
    charts.push(Chart {
        name: "rate".into(),
        title: "Readings per second by intended time, and backlog".into(),
        svg: rate::draw(run),
    });
    charts
}

/// Length of the run in whole seconds, rounded up.
fn seconds(findings: &Findings) -> usize {
    usize::try_from((findings.end - findings.start + 999_999) / 1_000_000).unwrap_or(0)
}
