//! Names that sections use of one another.

use document::{Node, Problem, Problems, Sp, Span};

/// Whether a name is one of those that are declared; tells the mistake if it is not.
pub(crate) fn known<'a>(
    what: &str,
    name: &str,
    span: Span,
    declared: impl IntoIterator<Item = &'a str>,
    problems: &mut Problems,
) -> bool {
    let declared: Vec<&str> = declared.into_iter().collect();
    if declared.contains(&name) {
        return true;
    }
    if declared.is_empty() && !problems.is_empty() {
        // The declarations themselves could not be read, which was told.
        return false;
    }
    let help = match declared.len() {
        0 => format!("No {what} is declared here"),
        _ => format!("There is {}", quoted(&declared)),
    };
    problems.push(Problem::unknown(what, name, span, declared).help(help));
    false
}

/// A new name: letters, digits, `-`, `_` and `.`, beginning with a letter, so that it can stand in `a ~ b`, `service/shard` and `phase + 3s`.
pub(crate) fn declared(what: &str, name: &Sp<String>, problems: &mut Problems) -> bool {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let good = letters && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() <= 63;
    if !good {
        let message = format!("`{}` cannot be the name of a {what}", name.value);
        let help =
            "Names begin with a letter and have at most 63 letters, digits, `-`, `_` and `.`";
        problems.push(Problem::new("name", name.span, message).label("not a name").help(help));
    }
    good
}

/// A key that must be there. `owner` is where the mapping stands.
pub(crate) fn missing(what: &str, key: &str, owner: Span, example: &str, problems: &mut Problems) {
    let problem = Problem::new("missing", owner, format!("{what} has no `{key}`"))
        .label(format!("`{key}` is missing"));
    problems.push(Problem {
        missing: Some(key.to_owned()),
        ..problem.help(format!("Add `{key}: {example}`"))
    });
}

/// Drops what only follows: a key that is said to be missing but stands there with a mistake of its own, or was misspelt.
pub(crate) fn drop_what_follows(root: &Node, problems: &mut Problems) {
    let stands_there = |problem: &Problem| {
        let Some(key) = &problem.missing else { return false };
        let keys = problems
            .iter()
            .filter(|other| other.code == "key" && other.meant().contains(&key.as_str()));
        let misspelt: Vec<Span> = keys.map(|other| other.span).collect();
        let owners = root.all().flat_map(|node| {
            let below = node
                .entries()
                .iter()
                .filter(|entry| entry.key.span == problem.span)
                .map(|entry| &entry.value);
            below.chain((node.span == problem.span).then_some(node))
        });
        let mut entries = owners.flat_map(Node::entries);
        entries.any(|entry| entry.key.text == *key || misspelt.contains(&entry.key.span))
    };
    let drop: Vec<bool> = problems.iter().map(stands_there).collect();
    let mut drop = drop.into_iter();
    problems.retain(|_| !drop.next().expect("one answer per problem"));
}

/// `a`, `b` and `c`.
pub(crate) fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
