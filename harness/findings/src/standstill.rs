//! What the harness hid while it stood still, whose readings are left out of every figure, and what the stack suffered while the machine's
//! disk did: here is what a verdict may still rest on.

use model::ledger::Fate;

use crate::facts::{Facts, Seen, Sightings, Us};
use crate::findings::find;
use crate::format;
use crate::gates::{Gate, Judgement, say};
use crate::intervals::length;
use crate::verdict::Verdict;

/// Such as `stood still 2 times, 4.3 s in all`; None where it never did.
#[must_use]
pub fn told(standstills: &[(Us, Us)]) -> Option<String> {
    let times = format::count(u64::try_from(standstills.len()).ok()?, "time", "times");
    let all = format::duration(length(standstills));
    (!standstills.is_empty()).then(|| format!("stood still {times}, {all} in all"))
}

/// Gates that count in time say in their evidence that the harness or its disk stood still, and such a gate fails only
/// - if it fails, too, where everything that the harness hid is taken as good: an outage that begins, ends or lasts because of that is nobody's;
/// - if the disk did not stand still: what came of that, such as an election, has no known end.
pub(crate) fn of_standstills(
    facts: &Facts,
    gates: &[&dyn Gate],
    said: Vec<Judgement>,
) -> Vec<Judgement> {
    let harness = told(&facts.happened.standstills).map(|told| format!("the harness {told}"));
    let disk = told(&facts.happened.disk_stalls).map(|told| format!("this machine's disk {told}"));
    let in_time = |gate: &dyn Gate| gate.time_limit(facts.theta).is_some();
    let fails = |(gate, j): (&&dyn Gate, &Judgement)| in_time(*gate) && j.verdict == Verdict::Fail;
    let again = (harness.is_some() && gates.iter().zip(&said).any(fails)).then(|| {
        let kind = taken_as_good(facts);
        say(&kind, &find(&kind), gates)
    });
    let excuse = |i: usize| {
        let need_not = again.as_ref().is_some_and(|again| again[i].verdict != Verdict::Fail);
        let by_harness = harness.as_ref().filter(|_| need_not);
        let by_harness =
            by_harness.map(|told| format!("{told}: it need not have failed without that"));
        let by_disk = || {
            Some(format!(
                "{}: all nodes share it, and what came of that is no failure of the stack",
                disk.as_ref()?
            ))
        };
        by_harness.or_else(by_disk)
    };
    let judge = |(i, j): (usize, Judgement)| {
        if !in_time(gates[i]) || j.verdict == Verdict::NotApplicable {
            return j;
        }
        let evidence =
            [&harness, &disk].into_iter().flatten().fold(j.evidence, |e, told| with(&e, told));
        match excuse(i).filter(|_| j.verdict == Verdict::Fail) {
            Some(why) => {
                Judgement { verdict: Verdict::Inconclusive, why: Some(why), evidence, ..j }
            }
            None => Judgement { evidence, ..j },
        }
    };
    said.into_iter().enumerate().map(judge).collect()
}

fn with(evidence: &str, more: &str) -> String {
    if evidence.is_empty() { more.to_owned() } else { format!("{evidence}; {more}") }
}

/// The same run where the stack did at once what the harness was not there to see.
fn taken_as_good(facts: &Facts) -> Facts {
    let mut kind = facts.clone();
    kind.happened.standstills.clear();
    let hidden: Vec<bool> = facts.readings.iter().map(|r| facts.hidden(r)).collect();
    for (r, _) in kind.readings.iter_mut().zip(&hidden).filter(|(_, hidden)| **hidden) {
        r.fate = Fate::Acked;
        (r.sent_first, r.sent_last, r.t_acked) = (r.t_ready, r.t_ready, r.t_ready);
    }
    for o in &mut kind.observers {
        let seen = (0..hidden.len()).flat_map(|i| {
            let t = |s: &Seen| if hidden[i] { s.t.min(facts.readings[i].t_ready) } else { s.t };
            let index = u32::try_from(i).expect("fewer than 2^32 readings");
            o.sightings
                .of(i)
                .iter()
                .map(move |s| (index, Seen { t: t(s), ..*s }))
                .collect::<Vec<_>>()
        });
        o.sightings = Sightings::new(hidden.len(), seen.collect());
    }
    kind
}
