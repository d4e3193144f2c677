//! From findings to verdicts: each gate, the correction over all statistical ones, what voids the run; the worst wins.

use std::collections::BTreeMap;

use model::Plan;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expected::Expected;
use crate::facts::{Facts, Us};
use crate::findings::Findings;
use crate::format;
use crate::gates::{CATALOG, Gate, Judgement, defaults, say};
use crate::standstill::of_standstills;
use crate::statistics::LimitTest;
use crate::verdict::Verdict;
use crate::voids::{Void, voids};

/// The whole judgement of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// The worst of all gates that apply, inconclusive at best where something voids the run; never `NotApplicable`.
    pub verdict: Verdict,
    /// Why, in words that a pipeline can show: the gates that failed, else what is inconclusive.
    pub exit_reason: String,
    /// In the order of the plan, defaults last.
    pub gates: Vec<GateVerdict>,
    pub voids: Vec<Void>,
    /// Where the scenario names a result that is known to come out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// Figures come from a model of a stack, not from one.
    pub simulated: bool,
}

/// One gate's verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    pub name: String,
    pub kind: String,
    pub params: Value,
    /// Line of the scenario; 0 for a default gate.
    pub line: u32,
    pub verdict: Verdict,
    pub limit: String,
    pub observed: String,
    pub evidence: String,
    pub why: Option<String>,
    pub groups: BTreeMap<String, LimitTest>,
}

/// A gate that is stored in the plan and cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error("find the gate kind `{0}`")]
    UnknownKind(String),
    #[error("read the parameters of the gate `{name}`")]
    Params { name: String, source: serde_json::Error },
}

struct Asked {
    name: String,
    kind: String,
    params: Value,
    line: u32,
    gate: Box<dyn Gate>,
}

/// Judges every gate of the plan, and the defaults that it does not mention.
///
/// # Errors
/// When the plan names a kind or parameters that this version does not know.
pub fn judge(facts: &Facts, found: &Findings, plan: &Plan) -> Result<Verdicts, JudgeError> {
    let asked = asked(plan)?;
    let gates: Vec<&dyn Gate> = asked.iter().map(|a| a.gate.as_ref()).collect();
    let said = of_standstills(facts, &gates, say(facts, found, &gates)).into_iter();
    let said = said.zip(&asked).map(|(j, a)| void_if_late(facts, a.gate.as_ref(), j));
    let said = said.map(|j| void_if_unwritten(facts, j));
    let gates: Vec<GateVerdict> = asked.iter().zip(said).map(|(a, j)| a.verdict(j)).collect();
    let voids = voids(facts, found);
    let least = if voids.is_empty() { Verdict::Pass } else { Verdict::Inconclusive };
    let verdict = Verdict::worst(gates.iter().map(|g| g.verdict), least);
    let expected = plan.expected_failures.as_ref().map(|fails| {
        let kinds: Vec<_> = gates.iter().map(|gate| (gate.kind.as_str(), gate.verdict)).collect();
        Expected::of(fails, verdict, &kinds)
    });
    Ok(Verdicts {
        verdict,
        expected,
        exit_reason: exit_reason(verdict, &gates, &voids),
        gates,
        voids,
        simulated: facts.happened.simulated,
    })
}

fn asked(plan: &Plan) -> Result<Vec<Asked>, JudgeError> {
    let mine = plan
        .gates
        .iter()
        .map(|g| (g.name.clone(), g.spec.kind.clone(), g.spec.params.clone(), g.line));
    let missing =
        defaults().into_iter().filter(|(kind, _)| !plan.gates.iter().any(|g| g.spec.kind == *kind));
    let missing = missing.map(|(kind, params)| (kind.to_owned(), kind.to_owned(), params, 0));
    let make = |(name, kind, params, line): (String, String, Value, u32)| {
        let known = CATALOG.find(&kind).ok_or_else(|| JudgeError::UnknownKind(kind.clone()))?;
        let gate = (known.make)(&params)
            .map_err(|source| JudgeError::Params { name: name.clone(), source })?;
        Ok(Asked { name, kind, params, line, gate })
    };
    let mut asked: Vec<Asked> = mine.chain(missing).map(make).collect::<Result<_, _>>()?;
    tell_apart(&mut asked);
    Ok(asked)
}

/// Gives gates of one kind names that differ, by their parameters and so alike in every run: first by what they look at, then by their limit,
/// at last by a number.
fn tell_apart(asked: &mut [Asked]) {
    let several = |asked: &[Asked], i: usize| {
        asked.iter().filter(|other| other.name == asked[i].name).count() > 1
    };
    let rounds: [fn(&Asked, usize) -> String; 3] = [
        |gate, _| words(&gate.params, false),
        |gate, _| words(&gate.params, true),
        |_, number| if number > 1 { format!(" ({number})") } else { String::new() },
    ];
    for more in rounds {
        let same: Vec<bool> = (0..asked.len()).map(|i| several(asked, i)).collect();
        let names: Vec<String> = asked.iter().map(|gate| gate.name.clone()).collect();
        for i in (0..asked.len()).filter(|i| same[*i]) {
            let number = names[..=i].iter().filter(|name| **name == names[i]).count();
            asked[i].name = format!("{}{}", names[i], more(&asked[i], number));
        }
    }
}

/// ` during baseline by region`: the parameters of a gate, either its limits or the others.
fn words(params: &Value, limits: bool) -> String {
    let text = |value: &Value| match value {
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or(item.to_string(), Into::into))
            .collect::<Vec<String>>()
            .join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mine = params.as_object().into_iter().flatten();
    let mine = mine.filter(|(key, _)| matches!(key.as_str(), "max" | "min") == limits);
    mine.map(|(key, value)| format!(" {key} {}", text(value))).collect()
}

impl Asked {
    fn verdict(&self, j: Judgement) -> GateVerdict {
        GateVerdict {
            name: self.name.clone(),
            kind: self.kind.clone(),
            params: self.params.clone(),
            line: self.line,
            verdict: j.verdict,
            limit: j.limit,
            observed: j.observed,
            evidence: j.evidence,
            why: j.why,
            groups: j.groups,
        }
    }
}

/// What could not be written is missing from every figure: a reading that nobody wrote down looks like one that was lost.
fn void_if_unwritten(facts: &Facts, judged: Judgement) -> Judgement {
    match facts.happened.unwritten.first() {
        Some((part, _)) if judged.verdict != Verdict::NotApplicable => {
            let why = Some(format!("the record is not whole: {part} is missing"));
            Judgement { verdict: Verdict::Inconclusive, why, ..judged }
        }
        _ => judged,
    }
}

/// A gate that this machine's refusals can touch is void where it refused the harness's own sockets something; one that counts in time,
/// also where the harness itself, or an echo that never touches the stack, was later than max(2 ms, 5 % of what the gate turns on) at
/// its p99.
fn void_if_late(facts: &Facts, gate: &dyn Gate, judged: Judgement) -> Judgement {
    let Some(health) = &facts.happened.health else { return judged };
    if judged.verdict == Verdict::NotApplicable {
        return judged;
    }
    if gate.needs_sockets(facts.theta) && !health.local_errors.is_empty() {
        let why = Some("this machine refused the harness's own sockets what they need".to_owned());
        return Judgement { verdict: Verdict::Inconclusive, why, ..judged };
    }
    let Some(limit) = gate.time_limit(facts.theta) else { return judged };
    let allowed = (limit / 20).max(2_000);
    let late = [
        ("the generator was", "late", health.schedule_lag_p99_us_of_latest()),
        ("the sending loop was", "late", health.loop_lag_p99_us_of_latest()),
        ("the fabric was", "late", health.fabric_late_p99_us),
        ("the null target took", "to answer", health.null_p99_us),
    ];
    let late = late.into_iter().find(|(.., us)| *us > allowed.unsigned_abs());
    match late {
        None => judged,
        Some((who, what, us)) => {
            let (us, allowed) =
                (format::duration(Us::try_from(us).unwrap_or(Us::MAX)), format::duration(allowed));
            let why = format!("{who} {us} {what} at its p99, this limit allows {allowed}");
            Judgement { verdict: Verdict::Inconclusive, why: Some(why), ..judged }
        }
    }
}

fn exit_reason(verdict: Verdict, gates: &[GateVerdict], voids: &[Void]) -> String {
    let named =
        |v| gates.iter().filter(|g| g.verdict == v).map(|g| g.name.as_str()).collect::<Vec<_>>();
    match verdict {
        Verdict::Pass => match named(Verdict::NotApplicable).as_slice() {
            [] => "all gates passed".to_owned(),
            others => format!("all gates that apply passed, not applicable: {}", others.join(", ")),
        },
        Verdict::Fail => format!("failed: {}", named(Verdict::Fail).join(", ")),
        Verdict::NotApplicable | Verdict::Inconclusive => {
            let reasons = voids.iter().map(|v| v.sentence.trim_end_matches('.').to_owned());
            let open = named(Verdict::Inconclusive);
            let gates = (!open.is_empty()).then(|| format!("no verdict on {}", open.join(", ")));
            let nothing = gates.is_none() && voids.is_empty();
            let gates = gates.or_else(|| nothing.then(|| "no gate applies to this run".to_owned()));
            format!("inconclusive: {}", reasons.chain(gates).collect::<Vec<_>>().join("; "))
        }
    }
}
