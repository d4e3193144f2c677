//! Plans that could not prove what they are asked to prove, and are refused: checks across finished sections.

use std::time::Duration;

use document::{Problem, Problems, Span, units::Time};
use model::{
    Plan,
    plan::{Ack, Opening, PhaseKind, Window},
};
use serde_json::Value;

use crate::{
    gates::Placed,
    windows::{earliest_open, latest_close},
};

/// Gates on the recovery of assets: their limit must fit into the time that a fault leaves.
const RECOVERY: &[&str] = &["rto", "rto.fresh", "rto.service"];

/// The limit of a gate on time.
pub(crate) fn time_limit(params: &Value) -> Option<Duration> {
    params.get("max")?.as_str()?.parse::<Time>().ok().map(Into::into)
}

/// The slowest interval of a stream that gates judge, probes aside.
pub(crate) fn slowest_period(plan: &Plan) -> Duration {
    let streams =
        plan.fleets.values().filter(|fleet| !fleet.probe).flat_map(|fleet| &fleet.streams);
    streams
        .filter(|stream| stream.ack == Ack::Required)
        .map(|stream| stream.every)
        .max()
        .unwrap_or_default()
}

/// The interval of the readings by which a gate is judged: a probe, where there is one, judges `rto.service`.
pub(crate) fn period_for(plan: &Plan, gate: &str) -> Duration {
    let probe =
        plan.fleets.values().find(|fleet| fleet.probe).and_then(|fleet| fleet.streams.first());
    match probe {
        Some(stream) if gate == "rto.service" => stream.every,
        _ => slowest_period(plan),
    }
}

/// The next planned change after a window opens: its own end, another fault, or the end of sending.
pub(crate) fn next_change(window: &Window, plan: &Plan) -> Duration {
    let open = earliest_open(window);
    let changes = plan.windows.iter().flat_map(|other| [earliest_open(other), latest_close(other)]);
    changes.filter(|at| *at > open).min().unwrap_or(plan.stop()).min(plan.stop())
}

pub(crate) fn refuse(
    plan: &Plan,
    gates: &[Placed],
    max_duration: Option<Span>,
    problems: &mut Problems,
) {
    if let (Some(max), Some(span)) = (plan.safety.max_duration, max_duration)
        && plan.latest_end() > max
    {
        let message = format!(
            "the plan can last {}, longer than `max_duration` allows",
            Time(plan.latest_end())
        );
        problems.push(
            Problem::new("range", span, message)
                .label("shorter than the phases together")
                .help("Shorten the phases or raise the limit"),
        );
    }
    for (gate, span) in gates {
        let (Some(span), Some(limit)) = (span, time_limit(&gate.spec.params)) else { continue };
        if RECOVERY.contains(&gate.spec.kind.as_str()) {
            recovery(plan, &gate.spec.kind, limit, *span, problems);
        }
    }
}

/// Recovery is decided only if `limit + 3 p + theta` passes before the next planned change, and after heal.
fn recovery(plan: &Plan, kind: &str, limit: Duration, span: Span, problems: &mut Problems) {
    let needed = limit + 3 * period_for(plan, kind) + plan.theta;
    let tell = |what: String, has: Duration, problems: &mut Problems| {
        let message = format!(
            "{what} lasts {}, too short to decide `{kind}` within {}",
            Time(has),
            Time(limit)
        );
        let help = format!(
            "It needs limit + 3 intervals + deadline = {}: make it longer, or lower the limit",
            Time(needed)
        );
        problems.push(Problem::new("logic", span, message).label("cannot be decided").help(help));
    };
    for window in plan.windows.iter().filter(|window| matches!(window.opening, Opening::At(_))) {
        let has = next_change(window, plan).saturating_sub(earliest_open(window));
        if has < needed {
            return tell(
                format!("the fault `{}` until the next planned change", window.id),
                has,
                problems,
            );
        }
    }
    if let Some(phase) = plan.phases.iter().find(|phase| phase.kind == PhaseKind::Recovery) {
        let has = phase.end.latest() - phase.start;
        if has < needed {
            tell(format!("the phase `{}`", phase.name), has, problems);
        }
    }
}
