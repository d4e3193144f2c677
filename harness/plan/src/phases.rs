//! The timeline.

use std::time::Duration;

use document::{Problem, Problems, Sp, Span, units::Time};
use model::plan::{Phase, PhaseEnd, PhaseKind, Window};

use crate::{
    grammar, names,
    windows::{earliest_open, latest_close},
};

/// The longest a last phase `until: quiesced` may take if it does not say.
const QUIESCE_MAX: Duration = Duration::from_secs(120);

/// The longest of all drills.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The usual phases, for scenarios that give none: name and length in seconds, warmup unmeasured, the last one until quiesced.
const COMMON: &[(&str, u64)] =
    &[("warmup", 10), ("baseline", 120), ("fault", 60), ("recovery", 120), ("failback", 60)];

/// The field's names of phases. A phase with one of them is meant so.
const NAMED: &[(&str, PhaseKind)] = &[
    ("warmup", PhaseKind::Warmup),
    ("baseline", PhaseKind::Baseline),
    ("fault", PhaseKind::Fault),
    ("outage", PhaseKind::Fault),
    ("recovery", PhaseKind::Recovery),
    ("failback", PhaseKind::Failback),
    ("verify", PhaseKind::Verify),
];

/// What a phase is for, as far as can be said without the windows: see [`settle`].
fn kind(name: &str, end: PhaseEnd, measure: bool) -> PhaseKind {
    let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    named.unwrap_or(match (end, measure) {
        (PhaseEnd::Quiesced { .. }, _) => PhaseKind::Verify,
        (PhaseEnd::At(_), false) => PhaseKind::Warmup,
        (PhaseEnd::At(_), true) => PhaseKind::Other,
    })
}

/// What the windows say of the phases. Percentiles may be gated in a phase that is measured, in which assets send, that no window touches, and
/// that no window was closed just before: a phase that follows one with a fault in it holds the recovery.
pub(crate) fn settle(phases: &mut [Phase], windows: &[Window]) {
    let touches = |phase: &Phase, window: &Window| {
        earliest_open(window) < phase.end.latest() && latest_close(window) > phase.start
    };
    let touched: Vec<bool> =
        phases.iter().map(|phase| windows.iter().any(|window| touches(phase, window))).collect();
    for (i, phase) in phases.iter_mut().enumerate() {
        if touched[i] && phase.kind == PhaseKind::Other {
            phase.kind = PhaseKind::Fault;
        }
        let after_fault = i > 0 && touched[i - 1];
        let coming_back = matches!(phase.kind, PhaseKind::Recovery | PhaseKind::Failback);
        let sends = !matches!(phase.end, PhaseEnd::Quiesced { .. });
        phase.steady = phase.measure && sends && !touched[i] && !after_fault && !coming_back;
    }
}

/// Reads the phases, or takes the usual ones. What depends on the windows is settled later, when they are known.
pub(crate) fn build(raw: Option<&Vec<Sp<grammar::Phase>>>, problems: &mut Problems) -> Vec<Phase> {
    let Some(raw) = raw else { return usual() };
    let mut phases: Vec<Phase> = vec![];
    let mut start = Duration::ZERO;
    for (i, phase) in raw.iter().enumerate() {
        let Some(name) = name(phase, &phases, problems) else { continue };
        let end = match (phase.lasts, phase.until) {
            (Some(lasts), None) => PhaseEnd::At(start + lasts.value.0),
            (None, Some(until)) => {
                if i + 1 < raw.len() {
                    let problem = Problem::new(
                        "logic",
                        until.span,
                        "only the last phase can last until quiesced",
                    )
                    .label("more phases follow");
                    problems.push(
                        problem.help("Sending stops in this phase; give it a `for:` instead"),
                    );
                }
                PhaseEnd::Quiesced {
                    latest: start + phase.max.map_or(QUIESCE_MAX, |max| max.value.0),
                }
            }
            (Some(_), Some(until)) => {
                problems.push(
                    Problem::new("logic", until.span, "both `for` and `until`")
                        .label("keep one of them"),
                );
                PhaseEnd::At(start)
            }
            (None, None) => {
                names::missing(&format!("phase `{name}`"), "for", phase.span, "30s", problems);
                PhaseEnd::At(start)
            }
        };
        if let (Some(max), None) = (phase.max, phase.until) {
            problems.push(
                Problem::new("logic", max.span, "`max` without `until`")
                    .label("limits nothing")
                    .help("Leave it out"),
            );
        }
        phases.push(unsettled(&name, start, end, phase.measure.unwrap_or(true)));
        start = end.latest();
    }
    if start > LONGEST {
        let at = raw.last().map_or(Span::default(), |last| last.span);
        let problem = Problem::new("range", at, format!("the phases last {} in all", Time(start)));
        problems.push(
            problem.label("too long").help(format!("A drill lasts at most {}", Time(LONGEST))),
        );
    }
    if phases.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new("missing", Span::default(), "`phases` is empty")
                .help("Leave the key out for the usual phases"),
        );
    }
    phases
}

fn name(phase: &Sp<grammar::Phase>, before: &[Phase], problems: &mut Problems) -> Option<String> {
    let Some(name) = &phase.name else {
        names::missing("a phase", "name", phase.span, "baseline", problems);
        return None;
    };
    names::declared("phase", name, problems);
    if before.iter().any(|other| other.name.as_str() == name.value) {
        problems.push(
            Problem::new("duplicate", name.span, format!("two phases are called `{}`", name.value))
                .label("again here"),
        );
        return None;
    }
    Some(name.value.clone())
}

fn unsettled(name: &str, start: Duration, end: PhaseEnd, measure: bool) -> Phase {
    Phase { name: name.into(), kind: kind(name, end, measure), start, end, measure, steady: false }
}

fn usual() -> Vec<Phase> {
    let mut start = Duration::ZERO;
    let mut phases = vec![];
    for (name, seconds) in COMMON {
        let end = start + Duration::from_secs(*seconds);
        phases.push(unsettled(name, start, PhaseEnd::At(end), *name != "warmup"));
        start = end;
    }
    let end = PhaseEnd::Quiesced { latest: start + QUIESCE_MAX };
    phases.push(unsettled("verify", start, end, true));
    phases
}
