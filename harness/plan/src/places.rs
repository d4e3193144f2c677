//! Where the parameters of a kind stand.

use document::{Node, Span};

/// Where a parameter stands, by its path such as `between.0.of`: the parameter itself, or the innermost one around it that is written.
/// None if not even the first key of the path is.
pub(crate) fn of(params: &Node, path: &str) -> Option<Span> {
    let mut here = None;
    for part in path.split('.') {
        let node = here.unwrap_or(params);
        let item = || node.items().get(part.parse::<usize>().ok()?);
        match node.at(part).or_else(item) {
            Some(below) => here = Some(below),
            None => break,
        }
    }
    here.map(|node| node.span)
}

/// Where a target's word names something: as the value of its key, as an item of a list there, or as a part of `service/shard`.
pub(crate) fn of_name(params: &Node, keys: &[&str], name: &str) -> Option<Span> {
    let entries = params.all().flat_map(Node::entries);
    let values = entries.filter(|entry| keys.contains(&entry.key.text.as_str()));
    let mut texts = values.flat_map(|entry| entry.value.all());
    let names = |text: &str| {
        text == name
            || text.split_once('/').is_some_and(|(service, shard)| service == name || shard == name)
    };
    texts.find(|node| node.text().is_some_and(names)).map(|node| node.span)
}

/// Where a number stands below a key.
pub(crate) fn of_number(params: &Node, key: &str, number: u32) -> Option<Span> {
    let entries = params.all().flat_map(Node::entries);
    let mut values = entries.filter(|entry| entry.key.text == key).map(|entry| &entry.value);
    values.find(|value| value.text() == Some(&number.to_string())).map(|value| value.span)
}
