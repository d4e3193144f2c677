//! What the harness hid while it stood still. Readings of that time are left out of every figure; here is what a verdict may still rest on.

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

/// Gates that count in time say in their evidence that the harness stood still, and one fails only if it fails, too, where everything
/// that this hid is taken as good: an outage that begins, ends or lasts because of it is nobody's.
pub(crate) fn of_standstills(
    facts: &Facts,
    gates: &[&dyn Gate],
    said: Vec<Judgement>,
) -> Vec<Judgement> {
    let Some(told) = told(&facts.happened.standstills) else { return said };
    let in_time = |gate: &dyn Gate| gate.time_limit(facts.theta).is_some();
    let fails = |(gate, j): (&&dyn Gate, &Judgement)| in_time(*gate) && j.verdict == Verdict::Fail;
    let again = gates.iter().zip(&said).any(fails).then(|| {
        let kind = taken_as_good(facts);
        say(&kind, &find(&kind), gates)
    });
    let judge = |(i, j): (usize, Judgement)| {
        if !in_time(gates[i]) {
            return j;
        }
        let j = Judgement { evidence: with(&j.evidence, &format!("the harness {told}")), ..j };
        match &again {
            Some(again) if j.verdict == Verdict::Fail && again[i].verdict != Verdict::Fail => {
                let why = format!("the harness {told}: it need not have failed without that");
                Judgement { verdict: Verdict::Inconclusive, why: Some(why), ..j }
            }
            _ => j,
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
