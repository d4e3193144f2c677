//! Findings in the words of the reference implementation, and a comparison that forgives nothing but the last digits of a float.

use findings::{BackToBaseline, Latency, Longest, Outage, Reached, Rto, ServiceRto};
use serde_json::{Map, Value, json};

#[must_use]
pub fn outage(o: &Outage) -> Value {
    json!({"start": o.start, "end": o.end, "censored": o.censored, "length": o.length})
}

#[must_use]
pub fn longest(l: &Longest) -> Value {
    json!({"assets": l.assets, "hit": l.hit, "censored": l.censored, "p50": l.p50, "p99": l.p99, "max": l.max})
}

#[must_use]
pub fn latency(l: &Latency) -> Value {
    let mut value = json!({"n": l.n, "censored": l.censored});
    for (name, p) in &l.percentiles {
        value[name] = if p.at_least { json!(format!(">= {}", p.us)) } else { json!(p.us) };
    }
    value
}

fn reached(r: Reached, no_outage: &'static str) -> &'static str {
    match r {
        Reached::Measured => "measured",
        Reached::RecoveredByHeal => "recovered by heal",
        Reached::BeyondObserved => "> observed",
        Reached::NoOutage => no_outage,
        Reached::NotDecidable => "not decidable",
    }
}

/// The oracle prints `value` or `at_least`, whichever there is.
fn mark(r: Reached, no_outage: &'static str, value: Option<i64>, at_least: Option<i64>) -> Value {
    let mut shown = json!({"verdict": reached(r, no_outage)});
    if let Some(v) = value {
        shown["value"] = json!(v);
    }
    if let Some(v) = at_least {
        shown["at_least"] = json!(v);
    }
    shown
}

#[must_use]
pub fn rto(x: &Rto) -> Value {
    let mut shown = mark(x.reached, "no outage above phi", x.value, x.at_least);
    if x.value.or(x.at_least).is_some() {
        shown["first_recovery"] = json!(x.first_recovery);
        shown["relapses"] = json!(x.relapses);
    }
    shown
}

#[must_use]
pub fn service(x: &ServiceRto) -> Value {
    let mut shown = mark(x.reached, "no outage", x.value, x.at_least);
    if x.value.or(x.at_least).is_some() {
        shown["resolution"] = json!(x.resolution);
    }
    shown
}

#[must_use]
pub fn back(x: &BackToBaseline) -> Value {
    match x.reached {
        Reached::NotDecidable => json!({"verdict": "not decidable"}),
        r => json!({"verdict": reached(r, ""), "value": x.value, "width": x.width}),
    }
}

/// Every difference, as `path: theirs != ours`.
pub fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                let at = |map: &Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_else(|| json!("<missing>"))
                };
                differences(&format!("{path}.{key}"), &at(a), &at(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .enumerate()
                .for_each(|(i, (a, b))| differences(&format!("{path}[{i}]"), a, b, found));
        }
        (Value::Number(a), Value::Number(b)) if close(a, b) => {}
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: {} != {}", short(a), short(b))),
    }
}

/// Integers are equal; where the oracle computed a float, ten digits are.
fn close(theirs: &serde_json::Number, ours: &serde_json::Number) -> bool {
    let (a, b) = (
        theirs.as_f64().expect("JSON numbers are finite"),
        ours.as_f64().expect("JSON numbers are finite"),
    );
    if theirs.is_f64() {
        (a - b).abs() <= 1e-10 * a.abs().max(1.0)
    } else {
        a == b && (ours.is_f64() || theirs == ours)
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    let cut: String = text.chars().take(160).collect();
    if cut.len() < text.len() { format!("{cut} ...") } else { text }
}
