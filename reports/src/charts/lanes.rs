//! Phases, faults as asked and as proven, and who led which shard.

use std::collections::BTreeMap;

use findings::facts::{Proof, RoleSeen};
use model::plan::PhaseKind;

use super::sheet::{
    Area, Axis, BAD, BLUE, FAINT, GOOD, INK, PURPLE, SLOW, bar, color_of, seconds_axis, sheet,
    text, text_before,
};
use crate::RunView;
use plotters::style::{Color, RGBColor};

const ROW: i32 = 18;
/// More shards than this are not drawn one by one.
const SHARDS_MAX: usize = 24;
const NODES: [RGBColor; 6] =
    [BLUE, GOOD, PURPLE, SLOW, RGBColor(20, 148, 160), RGBColor(200, 90, 160)];

pub(super) fn draw(run: &RunView<'_>) -> String {
    let leaders = leaders(&run.findings.happened.roles);
    let rows =
        1 + run.findings.happened.windows.len() + leaders.len() + usize::from(!leaders.is_empty());
    let height = rows as i32 * ROW + 34;
    sheet(height as u32, |area| {
        let axis = Axis::of(run.findings);
        let mut y = 4;
        phases(area, axis, run, y);
        y += ROW;
        for window in &run.findings.happened.windows {
            let (color, end) = (color_of(window), window.healed.unwrap_or(run.findings.end));
            text_before(area, (super::sheet::LEFT - 6, y + 2), &window.id);
            bar(area, (axis.x(window.asked), y), (axis.x(end), y + ROW - 4), color.mix(0.25));
            if let Some(effect) = window.effect {
                bar(area, (axis.x(effect), y), (axis.x(end), y + ROW - 4), color.mix(0.55));
            }
            let said = match window.proof {
                Proof::Proven => "proven",
                Proof::Unproven => "NOT PROVEN",
                Proof::Masked => "masked",
            };
            text(
                area,
                (axis.x(window.asked) + 4, y + 2),
                10.5,
                INK,
                &format!("{} {}: {said}", window.kind, window.picked.join(", ")),
            );
            y += ROW;
        }
        let names: Vec<&str> = run.plan().topology.nodes.keys().map(|node| node.as_str()).collect();
        for ((service, shard), spells) in &leaders {
            text_before(
                area,
                (super::sheet::LEFT - 6, y + 2),
                &format!("leader {service}/{shard}"),
            );
            for (i, spell) in spells.iter().enumerate() {
                let end = spells.get(i + 1).map_or(run.findings.end, |next| next.t);
                let color = names
                    .iter()
                    .position(|name| *name == spell.node.as_str())
                    .map_or(FAINT, |at| NODES[at % NODES.len()]);
                bar(
                    area,
                    (axis.x(spell.t.max(run.findings.start)), y + 2),
                    (axis.x(end), y + ROW - 5),
                    color.mix(0.8),
                );
            }
            y += ROW;
        }
        if !leaders.is_empty() {
            let mut x = super::sheet::LEFT;
            for (i, name) in names.iter().enumerate() {
                bar(area, (x, y + 4), (x + 10, y + 12), NODES[i % NODES.len()].mix(0.8));
                text(area, (x + 14, y + 3), 10.5, INK, name);
                x += 24 + 7 * name.len() as i32;
            }
            y += ROW;
        }
        seconds_axis(area, axis, y);
    })
}

fn phases(area: &Area<'_>, axis: Axis, run: &RunView<'_>, y: i32) {
    text_before(area, (super::sheet::LEFT - 6, y + 2), "phases");
    for (i, phase) in run.plan().phases.iter().enumerate() {
        let (from, to) = (micros(phase.start), micros(phase.end.latest()));
        let color = if phase.steady {
            GOOD.mix(0.18)
        } else if i % 2 == 0 {
            FAINT.mix(0.9)
        } else {
            FAINT.mix(0.55)
        };
        bar(area, (axis.x(from), y), (axis.x(to), y + ROW - 4), color);
        text(
            area,
            (axis.x(from) + 4, y + 2),
            10.5,
            if phase.kind == PhaseKind::Fault { BAD } else { INK },
            phase.name.as_str(),
        );
    }
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Per shard of a service the leaders in order, the highest term winning at each moment; empty where there are too many shards to draw.
fn leaders(roles: &[RoleSeen]) -> BTreeMap<(&str, &str), Vec<&RoleSeen>> {
    let mut shards: BTreeMap<(&str, &str), Vec<&RoleSeen>> = BTreeMap::new();
    for role in roles.iter().filter(|role| role.role.kind.leads()) {
        let spells = shards.entry((role.service.as_str(), role.shard.as_str())).or_default();
        if spells.last().is_none_or(|last| role.term >= last.term && role.node != last.node) {
            spells.push(role);
        }
    }
    if shards.len() > SHARDS_MAX { BTreeMap::new() } else { shards }
}
