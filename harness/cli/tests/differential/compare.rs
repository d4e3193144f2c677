//! A comparison that forgives nothing but the last digits of a float.

use serde_json::{Map, Number, Value, json};

/// Every difference, as `path: theirs != ours`.
pub(crate) fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let at = |map: &Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_else(|| json!("<missing>"))
                };
                differences(&format!("{path}.{key}"), &at(a), &at(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{place}]"), a, b, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if close(a, b) => {}
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: {} != {}", short(a), short(b))),
    }
}

/// How many single figures a document holds.
pub(crate) fn count(value: &Value) -> u64 {
    match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 1,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    let cut: String = text.chars().take(160).collect();
    if cut.len() < text.len() { format!("{cut} ...") } else { text }
}

/// Integers are equal; where a float was computed, ten digits are.
fn close(theirs: &Number, ours: &Number) -> bool {
    let number = |n: &Number| n.as_f64().unwrap_or(f64::NAN);
    let (a, b) = (number(theirs), number(ours));
    if theirs.is_f64() || ours.is_f64() {
        (a - b).abs() <= 1e-10 * a.abs().max(1.0)
    } else {
        theirs == ours
    }
}
