//! How much was compared.

use serde_json::Value;

/// How many single figures a document holds.
pub(crate) fn count(value: &Value) -> u64 {
    match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 1,
    }
}
