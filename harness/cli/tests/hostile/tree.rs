//! Scenarios as trees that can be changed and written again.

use document::{Ids, Kind, Node, Sources, parse};

pub(crate) fn read(text: &str) -> Node {
    let mut sources = Sources::default();
    let source = sources.add("tree", text);
    let mut problems = vec![];
    let node = parse(text, source, &mut Ids::default(), &mut problems).expect("it is YAML");
    assert_eq!(problems, [], "{text}");
    node
}

/// One line of YAML. Plain scalars stay plain where that is possible, so that numbers stay numbers.
pub(crate) fn write(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, quoted } => scalar(text, *quoted),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(write).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(entries) => {
            let entry = |entry: &document::Entry| {
                format!("{}: {}", scalar(&entry.key.text, entry.key.quoted), write(&entry.value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn scalar(text: &str, quoted: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.~/%+<".contains(c);
    match !quoted && text.chars().all(plain) {
        true => text.to_owned(),
        false => serde_json::to_string(text).expect("a text"),
    }
}

/// The tree with the node of this number changed.
pub(crate) fn with(root: &Node, id: u32, change: &dyn Fn(&mut Node)) -> Node {
    let mut node = root.clone();
    if node.id == id {
        change(&mut node);
        return node;
    }
    match &mut node.kind {
        Kind::Scalar { .. } => {}
        Kind::List(items) => {
            items.iter_mut().for_each(|item| *item = with(item, id, change));
        }
        Kind::Map(entries) => {
            entries.iter_mut().for_each(|entry| entry.value = with(&entry.value, id, change));
        }
    }
    node
}
