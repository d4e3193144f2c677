//! Section 5: what voids a run. Each reason is a sentence; one of them makes the run inconclusive at best.

use model::event::{Health, LocalError};
use serde::{Deserialize, Serialize};

use crate::facts::{Censored, Facts, NEVER, ObserverKind, Phase, Proof, SECOND, Us};
use crate::failover::Reached;
use crate::findings::Findings;
use crate::format;
use crate::intervals::nearest_rank;
use crate::reading::Reading;

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    pub reason: Reason,
    pub sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    BrokeOff,
    Unwritten,
    SenderLost,
    NoProof,
    NoBaseline,
    NothingVisible,
    BaselineSlow,
    BaselineUnsteady,
    LoadBelowAsked,
    FabricDrops,
    ExitBeforeFault,
    NotHealed,
    NoHealth,
    NullTargetLost,
    Contradiction,
    LocalErrors,
}

/// Share of the asked readings that must have been sent in time before the first fault.
const LOAD_MIN: f64 = 0.99;

pub(crate) fn voids(facts: &Facts, found: &Findings) -> Vec<Void> {
    let mut voids = Vec::new();
    let mut say = |reason, sentence: String| voids.push(Void { reason, sentence });
    if let Some(why) = &facts.happened.broke_off {
        say(Reason::BrokeOff, format!("The run broke off: {why}."));
    }
    for (part, why) in &facts.happened.unwritten {
        say(Reason::Unwritten, format!("The record is not whole: {part} is missing, {why}."));
    }
    for Censored { assets, why } in &facts.happened.censored {
        let count: usize = assets.iter().map(ExactSizeIterator::len).sum();
        let ids = assets.iter().map(|ids| format!("{} to {}", ids.start, ids.end - 1));
        let ids = ids.collect::<Vec<_>>().join(", ");
        let sentence = format!(
            "A sender was lost ({why}): what became of its {count} assets ({ids}) is not known, and only the others are judged."
        );
        say(Reason::SenderLost, sentence);
    }
    for w in facts.happened.windows.iter().filter(|w| w.proof == Proof::Unproven) {
        say(
            Reason::NoProof,
            format!(
                "Nothing shows that `{}` ({}) hit the stack or an asset: {}.",
                w.id, w.kind, w.why
            ),
        );
    }
    match facts.baseline() {
        None => say(Reason::NoBaseline, "The run has no steady phase to compare with.".to_owned()),
        Some(phase) => baseline(facts, found, phase, &mut say),
    }
    contradictions(facts, found, &mut say);
    let effect = facts.first_effect().unwrap_or(NEVER);
    for e in facts.happened.exits.iter().filter(|e| !e.asked && e.t < effect) {
        say(
            Reason::ExitBeforeFault,
            format!("{} on {} ended ({}) before any fault.", e.process, e.node, e.status),
        );
    }
    if let [(from, to), others @ ..] = facts.happened.unhealed.as_slice() {
        let sentence = match others.len() {
            0 => format!("The link from {from} to {to} was not shown to have healed."),
            n => {
                format!("The link from {from} to {to} and {n} more were not shown to have healed.")
            }
        };
        say(Reason::NotHealed, sentence);
    }
    match &facts.happened.health {
        None => say(Reason::NoHealth, "The harness did not get to report on itself.".to_owned()),
        Some(health) => own_losses(health, &mut say),
    }
    voids
}

/// A shard that had no leader for longer than its readings may take, while none of them missed its deadline: the roles or the acks are not
/// what they are taken for, or nobody asked.
fn contradictions(facts: &Facts, found: &Findings, say: &mut impl FnMut(Reason, String)) {
    let period = facts.slowest_gated();
    for e in &found.episodes {
        let odd = e.timeline.leaders.iter().find_map(|l| {
            let rto = e.rto_service.get(&l.shard).filter(|rto| rto.reached == Reached::NoOutage)?;
            let allowed = facts.theta + if rto.asked { 2 * period } else { 0 };
            Some((&l.shard, l.elected.filter(|elected| *elected > allowed)?, rto.asked))
        });
        if let Some((shard, elected, asked)) = odd {
            let but = if asked {
                "no reading of it missed its deadline: one of the two is not so"
            } else {
                "no reading of it was due in that time: whether anybody was out is not known"
            };
            let elected = format::duration(elected);
            let sentence =
                format!("{shard} was seen without a leader for up to {elected}, and {but}.");
            say(Reason::Contradiction, sentence);
        }
    }
}

/// The null target's links have no rule: whatever is lost there was lost by the fabric or by this machine, seen by a counter or not.
fn own_losses(health: &Health, say: &mut impl FnMut(Reason, String)) {
    if health.fabric_drops > 0 {
        let packets = format::count(health.fabric_drops, "packet", "packets");
        say(Reason::FabricDrops, format!("The fabric lost {packets} that no fault asked for."));
    }
    if health.null_lost > 0 {
        let echoes = format::count(health.null_count, "echo", "echoes");
        let sentence = format!(
            "The null target, which no fault touches, lost {} of {echoes}.",
            health.null_lost
        );
        say(Reason::NullTargetLost, sentence);
    }
    for (error, times) in &health.local_errors {
        say(Reason::LocalErrors, refused(*error, *times));
    }
}

/// What this machine refused the harness, and what to do about it.
fn refused(error: LocalError, times: u64) -> String {
    let (what, remedy) = match error {
        LocalError::TooManyOpenFiles => (
            "ran out of file descriptors (too many open files)",
            "raise the limit with `ulimit -n`",
        ),
        LocalError::FileTableFull => (
            "found the file table of the whole machine full (too many open files in system)",
            "raise `fs.file-max` with `sysctl`",
        ),
        LocalError::NoFreePort => (
            "found no free local port (cannot assign requested address)",
            "widen `net.ipv4.ip_local_port_range`, or take fewer assets",
        ),
        LocalError::NoBuffers => (
            "got no buffer for a packet (no buffer space available)",
            "take fewer assets, or a machine with more memory",
        ),
        LocalError::NoMemory => (
            "got no memory for a socket (cannot allocate memory)",
            "take fewer assets, or a machine with more memory",
        ),
    };
    format!("The harness itself {what} {}: {remedy}.", format::count(times, "time", "times"))
}

fn baseline(facts: &Facts, found: &Findings, phase: &Phase, say: &mut impl FnMut(Reason, String)) {
    let inside = |t: Us| phase.start <= t && t < phase.end;
    let due: Vec<(usize, &Reading)> = facts
        .readings
        .iter()
        .enumerate()
        .filter(|(_, r)| inside(r.t_ready) && !facts.undecided(r) && !facts.is_probe(r))
        .collect();
    nothing_visible(facts, phase, &due, say);
    if !found.baseline_fits {
        let p99 = found.ack_latency.get(&phase.name).and_then(|l| l.percentiles.get("p99"));
        let slow = p99.map_or("no reading was acked".to_owned(), |p| {
            format!("p99 of the ack is {}", format::duration(p.us))
        });
        let allowed = format::duration(facts.theta / 2);
        say(
            Reason::BaselineSlow,
            format!(
                "The baseline cannot carry a verdict: {slow}, more than half of theta ({allowed}) or not good."
            ),
        );
    }
    if let Some(spread) = unsteady(facts, phase) {
        say(
            Reason::BaselineUnsteady,
            format!(
                "The baseline is not steady: its p99 over 10 s varies by {:.0}%.",
                100.0 * spread
            ),
        );
    }
    let sent = due
        .iter()
        .filter(|(_, r)| r.sent_first < NEVER && r.sent_first <= r.t_ready + facts.theta)
        .count();
    if (sent as f64) < LOAD_MIN * due.len() as f64 || due.is_empty() {
        let message = format!(
            "Before the fault {sent} of {} readings were sent in time: less load than asked.",
            due.len()
        );
        say(Reason::LoadBelowAsked, message);
    }
}

/// Each service that is observed must have shown something of what was due there: one that shows nothing is no evidence for itself, and
/// another one none for it.
fn nothing_visible(
    facts: &Facts,
    phase: &Phase,
    due: &[(usize, &Reading)],
    say: &mut impl FnMut(Reason, String),
) {
    // By service: whether anything was due there, and became visible.
    let mut services: Vec<Option<bool>> = vec![None; facts.services.len()];
    for o in facts.observers.iter().filter(|o| o.kind != ObserverKind::ReadBack) {
        let mut mine = due.iter().filter(|(_, r)| facts.takes(o, r)).peekable();
        if mine.peek().is_some() {
            let visible = services[o.service].get_or_insert(false);
            *visible = *visible || mine.any(|(i, _)| o.sees(*i));
        }
    }
    let observed = services.iter().flatten().count();
    if services.iter().flatten().all(|visible| !visible) {
        say(Reason::NothingVisible, format!("Nothing became visible in `{}`.", phase.name));
        return;
    }
    let dark = facts.services.iter().zip(&services).filter(|(_, visible)| **visible == Some(false));
    for (service, _) in dark.filter(|_| observed > 1) {
        let sentence = format!("Nothing of `{}` became visible in `{}`.", service.name, phase.name);
        say(Reason::NothingVisible, sentence);
    }
}

/// Coefficient of variation of the p99 of 10 s, where it is above 30 %; asked of baselines of 60 s and more.
fn unsteady(facts: &Facts, phase: &Phase) -> Option<f64> {
    const WIDTH: Us = 10 * SECOND;
    let windows = usize::try_from((phase.end - phase.start) / WIDTH).ok().filter(|n| *n >= 6)?;
    let mut waits: Vec<Vec<Us>> = vec![Vec::new(); windows];
    for r in facts.in_phase(phase) {
        if let Some(window) = waits.get_mut(((r.t_ready - phase.start) / WIDTH) as usize) {
            window.push(r.ack_latency());
        }
    }
    let p99 = |window: &mut Vec<Us>| {
        window.sort_unstable();
        nearest_rank(window, 0.99).map(|us| if us == NEVER { f64::INFINITY } else { us as f64 })
    };
    let values: Vec<f64> = waits.iter_mut().filter_map(p99).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance =
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0);
    let spread = variance.sqrt() / mean;
    (values.len() > 1 && (spread > 0.3 || spread.is_nan())).then_some(if spread.is_nan() {
        f64::INFINITY
    } else {
        spread
    })
}
