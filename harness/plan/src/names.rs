//! Names that sections use of one another, and names that are made of others.

use std::collections::{BTreeMap, HashMap};

use document::{Entry, Node, Problem, Problems, Sp, Span};

use crate::bounds::{LISTED_MAX, MISTAKES_MAX};

/// Names that were given or made, each with its owner. A made one, such as `service-region-1`, may meet another: nothing is kept under a
/// name before it was taken here.
#[derive(Debug, Default)]
pub(crate) struct Taken(BTreeMap<(&'static str, String), (String, Span)>);

impl Taken {
    /// Whether nothing of this sort had the name. `owner` is who has it now, such as "service `store` in region `west`".
    pub(crate) fn take(
        &mut self,
        what: &'static str,
        name: &str,
        (owner, at): (&str, Span),
        problems: &mut Problems,
    ) -> bool {
        let Some((first, place)) = self.0.get(&(what, name.to_owned())) else {
            self.0.insert((what, name.to_owned()), (owner.to_owned(), at));
            return true;
        };
        let message = match first == owner {
            true => format!("{owner} is declared twice"),
            false => format!("`{name}` would be the {what} of {first} and of {owner}"),
        };
        let problem = Problem::new("duplicate", at, message).label("again here");
        let help = "Rename one of them; names that are made of theirs must differ too";
        problems.push(problem.note(*place, "first here").help(help));
        false
    }
}

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
        1..=LISTED_MAX => format!("There is {}", quoted(&declared)),
        more => format!(
            "There is {}, and {} others",
            names_of(&declared[..LISTED_MAX]).join(", "),
            more - LISTED_MAX
        ),
    };
    // What is not going to be told need not know what was meant.
    let meant = if problems.len() < MISTAKES_MAX { &declared[..] } else { &[] };
    problems.push(Problem::unknown(what, name, span, meant).help(help));
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
    let mut stands: HashMap<Span, Vec<&Entry>> = HashMap::new();
    for node in root.all() {
        stands.entry(node.span).or_default().extend(node.entries());
        for entry in node.entries() {
            stands.entry(entry.key.span).or_default().extend(entry.value.entries());
        }
    }
    let misspelt: Vec<(Span, Vec<&str>)> = problems
        .iter()
        .filter(|problem| problem.code == "key")
        .map(|problem| (problem.span, problem.meant()))
        .collect();
    let stands_there = |problem: &Problem| {
        let Some(key) = &problem.missing else { return false };
        let slips: Vec<Span> = misspelt
            .iter()
            .filter(|(_, meant)| meant.contains(&key.as_str()))
            .map(|(span, _)| *span)
            .collect();
        let mut entries = stands.get(&problem.span).into_iter().flatten();
        entries.any(|entry| entry.key.text == *key || slips.contains(&entry.key.span))
    };
    let drop: Vec<bool> = problems.iter().map(stands_there).collect();
    let mut drop = drop.into_iter();
    problems.retain(|_| !drop.next().expect("one answer per problem"));
}

fn names_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

/// `a`, `b` and `c`.
pub(crate) fn quoted(names: &[&str]) -> String {
    let quoted = names_of(names);
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
