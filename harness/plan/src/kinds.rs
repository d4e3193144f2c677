//! Reading a kind where it stands beside keys of the engine's own, and words that are not in this version yet.

use document::{Key, Node, Problem, Problems, Span};
use model::KindSpec;
use schemars::Schema;
use seams::{ServiceRef, secure::Secret};
use serde_json::Value;

use crate::{
    catalogs::{Family, Known},
    names,
    names::quoted,
};

/// What the design has and this version has not: refused by name, never ignored.
const LATER: &[(&str, &str)] = &[
    ("users", "closed-loop users"),
    ("steps", "steps of an operator"),
    ("trials", "repeated trials"),
    ("stop_when", "stop conditions"),
    ("contact", "a contact model at this place"),
    ("routing", "routing other than by the client"),
    ("heartbeat", "heartbeats"),
    ("device_clock", "device clocks"),
    ("events", "events and alerts"),
    ("commands", "commands to assets"),
    ("waves", "reboot waves"),
    ("keepalive", "keepalive of connections"),
    ("session", "sessions that are taken over"),
    ("retain_after_ack", "gap filling"),
    ("on_change", "readings on change"),
    ("wire_seq_bits", "truncated sequence numbers"),
    ("profile", "a profile at this place"),
    ("pulse", "pulsed faults"),
    ("ramp", "ramped faults"),
    ("repeat", "a repeat at this place"),
    ("nemesis", "random schedules of faults"),
    ("rolling-restart", "the fault `rolling-restart`"),
    ("restart", "the fault `restart`"),
    ("disk", "the fault `disk`"),
    ("clock", "the fault `clock`"),
    ("stress", "the fault `stress`"),
    ("dns", "the fault `dns`"),
    ("asset", "the fault `asset`"),
    ("command", "the fault `command`"),
    ("kafka", "the system `kafka`"),
    ("nats", "the system `nats`"),
    ("envoy", "the system `envoy`"),
    ("program", "services of the user's own"),
    ("external", "the lab `external`"),
    ("toxiproxy", "the lab `toxiproxy`"),
    ("ssh", "the lab `ssh`"),
    ("docker", "the lab `docker`"),
    ("kubernetes", "the lab `kubernetes`"),
    ("markdown", "the report `markdown`"),
    ("png", "the report `png`"),
];

/// Those of them that are there at another place already.
const ELSEWHERE: &[(&str, &str)] = &[
    ("contact", "Move it under `access`, as a list or a CSV file"),
    (
        "profile",
        "A fleet, its `access` and each pair of `links` take it; move it there, such as `access: {profile: leo_15s}`",
    ),
    (
        "repeat",
        "`access` and each pair of `links` take it beside a `trace`; move it there, or leave it out",
    ),
];

/// Turns an unknown word that the design knows into a refusal that says so.
pub(crate) fn later(problem: &mut Problem) {
    let Some(unknown) = &problem.unknown else { return };
    if !unknown.meant().is_empty() {
        return;
    }
    let Some((word, what)) = LATER.iter().find(|(word, _)| *word == unknown.found) else { return };
    problem.code = "version";
    problem.message = format!("`{word}` is not in this version: {what} will come later");
    problem.label = "not in this version".into();
    let help =
        ELSEWHERE.iter().find(|(there, _)| there == word).map_or("Leave it out", |(_, help)| help);
    problem.help = Some(help.into());
    problem.unknown = None;
}

/// The kind with this name; tells the mistake if there is none.
pub(crate) fn find<'f>(
    family: &'f Family,
    name: &str,
    span: Span,
    problems: &mut Problems,
) -> Option<&'f Known> {
    let kind = family.find(name);
    if kind.is_none() {
        let names: Vec<&str> = family.names().collect();
        let what = format!("{} kind", family.noun);
        problems.push(
            Problem::unknown(&what, name, span, &names)
                .help(format!("There is {}; `wetdress explain` tells more", quoted(&names))),
        );
    }
    kind
}

/// Reads a kind's parameters. `also` are the keys that the engine took out of the same mapping before.
pub(crate) fn params(
    kind: &Known,
    node: &Node,
    also: &[&str],
    problems: &mut Problems,
) -> Option<KindSpec> {
    let mut mine = Problems::new();
    let params = (kind.read)(node, &mut mine);
    for problem in &mut mine {
        if problem.code == "key"
            && node.entries().iter().any(|entry| entry.key.span == problem.span)
        {
            problem.know_also(also);
            problem.help = Some(format!(
                "`{}` takes {}",
                kind.name,
                quoted(&[also, &properties(&(kind.schema)())].concat())
            ));
        }
    }
    problems.append(&mut mine);
    Some(KindSpec { kind: kind.name.to_owned(), params: params? })
}

/// A parameter that the kind's schema marks by its format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Keys, and numbers of list items, from the kind's mapping down to the parameter.
    path: Vec<Step>,
    value: Value,
    /// What the named service must have.
    pub(crate) endpoint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

impl Named {
    /// The name of the service.
    pub(crate) fn service(&self) -> &str {
        self.value.as_str().unwrap_or_default()
    }

    /// Where it is written; None for one that the kind filled in by itself.
    pub(crate) fn place(&self, params: &Node) -> Option<Span> {
        let below = |node: &'_ Node, step: &Step| match step {
            Step::Key(key) => node.at(key).cloned(),
            Step::Item(number) => node.items().get(*number).cloned(),
        };
        let found = self.path.iter().try_fold(params.clone(), |node, step| below(&node, step));
        found.map(|node| node.span)
    }

    /// The parameter itself.
    pub(crate) fn within<'p>(&self, params: &'p mut Value) -> Option<&'p mut Value> {
        self.path.iter().try_fold(params, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Item(number) => value.get_mut(number),
        })
    }
}

/// Every parameter that the kind's schema marks as the name of a service.
pub(crate) fn services_named(schema: &Schema, params: &Value) -> Vec<Named> {
    let mut found = marked(ServiceRef::FORMAT, schema, params);
    found.retain(|named| named.value.is_string());
    found
}

/// Every parameter that says where a secret is.
pub(crate) fn secrets_named(schema: &Schema, params: &Value) -> Vec<Named> {
    let mut found = marked(Secret::FORMAT, schema, params);
    found.retain(|named| named.value.is_object());
    found
}

fn marked(format: &'static str, schema: &Schema, params: &Value) -> Vec<Named> {
    let root = schema.as_value();
    let mut found = vec![];
    Walk { root, format, found: &mut found }.below(root, params, None, &mut vec![]);
    found
}

/// Parameters and the schema that describes them, side by side.
struct Walk<'w> {
    root: &'w Value,
    format: &'static str,
    found: &'w mut Vec<Named>,
}

impl Walk<'_> {
    fn below(&mut self, schema: &Value, params: &Value, outer: Option<&str>, path: &mut Vec<Step>) {
        // Beside a reference, or in it, or around a choice between the parameter and nothing.
        let endpoint = schema.get("endpoint").and_then(Value::as_str).or(outer);
        if schema.get("format").and_then(Value::as_str) == Some(self.format) {
            let named = Named {
                path: path.clone(),
                value: params.clone(),
                endpoint: endpoint.map(str::to_owned),
            };
            if !self.found.contains(&named) {
                self.found.push(named);
            }
            return;
        }
        let root = self.root;
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
        let choices = ["anyOf", "oneOf", "allOf"].map(|key| schema.get(key)).into_iter().flatten();
        let choices = choices.filter_map(Value::as_array).flatten();
        for same in target.into_iter().chain(choices) {
            self.below(same, params, endpoint, path);
        }
        let any_key = schema.get("additionalProperties");
        for (key, value) in params.as_object().into_iter().flatten() {
            let own = schema.get("properties").and_then(|properties| properties.get(key));
            if let Some(schema) = own.or(any_key) {
                path.push(Step::Key(key.clone()));
                self.below(schema, value, None, path);
                path.pop();
            }
        }
        for (number, item) in params.as_array().into_iter().flatten().enumerate() {
            if let Some(schema) = schema.get("items") {
                path.push(Step::Item(number));
                self.below(schema, item, endpoint, path);
                path.pop();
            }
        }
    }
}

/// Keys that a kind's schema knows. They live as long as the program: kinds are static and few.
pub(crate) fn properties(schema: &Schema) -> Vec<&str> {
    let properties = schema.get("properties").and_then(|value| value.as_object());
    properties.into_iter().flat_map(|map| map.keys().map(String::as_str)).collect()
}

/// The text under `kind:` with its place, if there is one.
pub(crate) fn kind_of(node: &Node) -> Option<(&str, Span)> {
    let value = node.at("kind")?;
    Some((value.text()?, value.span))
}

/// The same, where there must be one; tells the mistake, at the misspelt key if one can be made out.
pub(crate) fn kind_needed<'n>(
    node: &'n Node,
    what: &str,
    owner: Span,
    example: &str,
    problems: &mut Problems,
) -> Option<(&'n str, Span)> {
    if let Some(found) = kind_of(node) {
        return Some(found);
    }
    let unknown = |key: &Key| Problem {
        code: "key",
        ..Problem::unknown("key", &key.text, key.span, ["kind"])
    };
    match node
        .entries()
        .iter()
        .map(|entry| unknown(&entry.key))
        .find(|problem| !problem.meant().is_empty())
    {
        Some(misspelt) => problems.push(misspelt),
        None => names::missing(what, "kind", owner, example, problems),
    }
    None
}

/// Keys of a mapping that are not among those given.
pub(crate) fn other_keys<'n>(node: &'n Node, known: &[&str]) -> Vec<(&'n Key, &'n Node)> {
    let others = node.entries().iter().filter(|entry| !known.contains(&entry.key.text.as_str()));
    others.map(|entry| (&entry.key, &entry.value)).collect()
}
