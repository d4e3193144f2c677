//! The merged document as text again: what `wetdress plan --expand` prints, and what is hashed.

use document::{Kind, Node};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// As data: every scalar is its text, so that nothing is read in two ways. Order of keys does not matter.
pub(crate) fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, .. } => Value::String(text.clone()),
        Kind::List(items) => Value::Array(items.iter().map(value).collect()),
        Kind::Map(entries) => {
            let map: Map<String, Value> =
                entries.iter().map(|entry| (entry.key.text.clone(), value(&entry.value))).collect();
            Value::Object(map)
        }
    }
}

/// SHA-256 of the merged document, in hexadecimal.
pub(crate) fn sha256(node: &Node) -> String {
    let mut sorted = value(node);
    sorted.sort_all_objects();
    hex(&Sha256::digest(sorted.to_string().as_bytes()))
}

/// A seed for scenarios that name none.
pub(crate) fn seed_of(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// YAML in block form; plain where that reads back as the same scalar.
pub(crate) fn yaml(node: &Node) -> String {
    let mut out = String::new();
    write(node, 0, &mut out);
    out
}

fn write(node: &Node, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match &node.kind {
        Kind::Scalar { text, quoted } => out.push_str(&format!("{}\n", scalar(text, *quoted))),
        Kind::List(items) if items.is_empty() => out.push_str("[]\n"),
        Kind::Map(entries) if entries.is_empty() => out.push_str("{}\n"),
        Kind::List(items) => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                below(item, indent + 1, out);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                out.push_str(&format!("{pad}{}:", scalar(&entry.key.text, entry.key.quoted)));
                below(&entry.value, indent + 1, out);
            }
        }
    }
}

fn below(node: &Node, indent: usize, out: &mut String) {
    let nested = match &node.kind {
        Kind::Scalar { .. } => false,
        Kind::List(items) => !items.is_empty(),
        Kind::Map(entries) => !entries.is_empty(),
    };
    out.push(if nested { '\n' } else { ' ' });
    write(node, indent, out);
}

fn scalar(text: &str, quoted: bool) -> String {
    // JSON's quoting is a part of YAML's.
    if quoted { Value::from(text).to_string() } else { text.to_owned() }
}
