//! What a kind is and takes, from its own types: `wetdress explain`, `wetdress list` and docs/reference.

use serde_json::Value;

use crate::catalogs::{Catalogs, Family, Known};

/// Every kind with this name, as text: a system's service, driver and observer may share one. None if there is no such kind.
pub fn explain(name: &str, catalogs: &Catalogs) -> Option<String> {
    let pages: Vec<String> = catalogs
        .families()
        .iter()
        .filter_map(|family| Some(page(family, family.find(name)?)))
        .collect();
    (!pages.is_empty()).then(|| pages.join("\n"))
}

/// Every kind of this build: noun, name, what it is.
pub fn list(catalogs: &Catalogs) -> Vec<(&'static str, &'static str, &'static str)> {
    let families = catalogs.families();
    families
        .iter()
        .flat_map(|family| family.kinds.iter().map(|kind| (family.noun, kind.name, kind.about)))
        .collect()
}

/// The generated reference, one Markdown page per family: file name and text.
pub fn reference(catalogs: &Catalogs) -> Vec<(String, String)> {
    let written = |family: &Family| {
        let pages: Vec<String> = family.kinds.iter().map(|kind| page(family, kind)).collect();
        let head = format!(
            "# {}\nGenerated from the types by `cargo xtask reference`; do not edit.\n",
            plural(family.noun)
        );
        (format!("{}s.md", family.noun), format!("{head}\n{}", pages.join("\n")))
    };
    catalogs.families().iter().map(written).collect()
}

fn plural(noun: &str) -> String {
    let mut letters = noun.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}s", first.to_uppercase(), letters.as_str()))
}

fn page(family: &Family, kind: &Known) -> String {
    let schema = Value::from((kind.schema)());
    let mut text = format!("## {} `{}`\n{}\n", family.noun, kind.name, kind.about);
    if let Some(about) =
        schema.get("description").and_then(Value::as_str).filter(|about| *about != kind.about)
    {
        text += &format!("\n{about}\n");
    }
    text += &format!("\n```yaml\n{}\n```\n", example(family, kind).trim_end());
    if fields(&schema).next().is_none() {
        return text + "\nIt has no parameters.\n";
    }
    text += &table(&schema, &schema);
    for Nested { paths, mapping } in nested(&schema) {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        let about = description(mapping).map_or_else(String::new, |about| format!(": {about}"));
        text += &format!("\n{}{about}\n{}", paths.join(", "), table(mapping, &schema));
    }
    text
}

/// A row for each parameter of a mapping.
fn table(mapping: &Value, root: &Value) -> String {
    let required: Vec<&str> = mapping
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut text = "\n| parameter | what | default |\n|---|---|---|\n".to_owned();
    for (name, property) in fields(mapping) {
        let about = description(property)
            .or_else(|| forms(property, root).into_iter().find_map(description));
        let about = about.unwrap_or_default().replace('|', "\\|");
        let choices = choices(property, root);
        let choices = match choices.is_empty() {
            true => String::new(),
            false => format!(" One of {}.", choices.join(", ")),
        };
        let default = match property.get("default").map(without_nulls) {
            Some(Value::Null) | None if required.contains(&name.as_str()) => "required".to_owned(),
            Some(Value::Null) | None => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        let range = range(property, root);
        text += &format!("| `{name}` | {about}{choices}{range} | {default} |\n");
    }
    text
}

/// Its least and its greatest value.
fn range(property: &Value, root: &Value) -> String {
    let bounds = |schema: &Value| {
        let bound = |key| schema.get(key).and_then(Value::as_str);
        Some(format!(" From `{}` to `{}`.", bound("least")?, bound("most")?))
    };
    let all = std::iter::once(property).chain(forms(property, root));
    all.filter_map(bounds).next().unwrap_or_default()
}

/// A mapping below a kind's parameters, with every parameter that takes it.
struct Nested<'s> {
    /// Such as `planted.stall`.
    paths: Vec<String>,
    mapping: &'s Value,
}

/// Every mapping below a schema, however deep, in the order in which a reader comes upon them. A mapping is told once, for all who take it.
fn nested(root: &Value) -> Vec<Nested<'_>> {
    let mut found: Vec<Nested<'_>> = vec![];
    let mut waiting = vec![(String::new(), root)];
    let mut next = 0;
    while let Some((above, mapping)) = waiting.get(next).cloned() {
        next += 1;
        for (name, property) in fields(mapping) {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            for form in forms(property, root) {
                if fields(form).next().is_none() {
                    continue;
                }
                match found.iter_mut().find(|known| std::ptr::eq(known.mapping, form)) {
                    Some(known) if known.paths.contains(&path) => {}
                    Some(known) => known.paths.push(path.clone()),
                    None => {
                        found.push(Nested { paths: vec![path.clone()], mapping: form });
                        waiting.push((path.clone(), form));
                    }
                }
            }
        }
    }
    found
}

fn fields(mapping: &Value) -> impl Iterator<Item = (&String, &Value)> {
    mapping.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn description(schema: &Value) -> Option<String> {
    Some(schema.get("description")?.as_str()?.replace('\n', " "))
}

/// An option that is not given needs no mention.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let given = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

/// As it stands in a scenario: kinds whose parameters stand below their name are shown with it.
fn example(family: &Family, kind: &Known) -> String {
    let below_name = matches!(family.noun, "fault" | "gate");
    match below_name && kind.example.starts_with('{') {
        true => format!("{}: {}", kind.name, kind.example),
        false if kind.example.starts_with('{') => {
            format!("kind: {}  # beside: {}", kind.name, kind.example)
        }
        false => kind.example.to_owned(),
    }
}

/// What a schema stands for: itself, or what it refers to, each of its alternatives, and the items of a list.
/// Variants of an enum that carry something are words with parameters and no mappings of their own: see [`choices`].
fn forms<'s>(schema: &'s Value, root: &'s Value) -> Vec<&'s Value> {
    let target = schema
        .get("$ref")
        .and_then(|reference| reference.as_str()?.strip_prefix("#/$defs/"))
        .and_then(|name| root.get("$defs")?.get(name));
    let lists = ["anyOf", "allOf", "prefixItems"];
    let alternatives = lists.iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let below = target.into_iter().chain(schema.get("items")).chain(alternatives);
    let mut found: Vec<&Value> = below.flat_map(|below| forms(below, root)).collect();
    if found.is_empty() {
        found.push(schema);
    }
    found
}

/// The words of an enum; one that carries something is shown with a place for it.
fn choices(property: &Value, root: &Value) -> Vec<String> {
    let words = |value: &Value| -> Vec<String> {
        let listed = value.get("enum").and_then(Value::as_array).into_iter().flatten();
        let single = value.get("const").into_iter();
        listed.chain(single).filter_map(Value::as_str).map(|word| format!("`{word}`")).collect()
    };
    let variants = |value: &Value| -> Vec<String> {
        let variants = value.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let of = |variant: &Value| {
            let carries = fields(variant).map(|(word, _)| format!("`{{{word}: ...}}`"));
            words(variant).into_iter().chain(carries).collect::<Vec<_>>()
        };
        variants.flat_map(of).collect()
    };
    forms(property, root)
        .into_iter()
        .flat_map(|form| [words(form), variants(form)].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};

    use super::*;

    /// Everything.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Outer {
        /// One.
        one: Option<Middle>,
        many: Vec<Inner>,
        either: Either,
        words: Words,
    }

    /// In the middle.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Middle {
        /// Deep down.
        deep: Option<Inner>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        /// How often.
        one_in: u64,
    }

    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    enum Either {
        Plain(String),
        Mapping(Inner),
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    #[allow(dead_code, reason = "only its schema is looked at")]
    enum Words {
        All,
        /// So many.
        Fixed(u32),
    }

    #[test]
    fn mappings_are_told_however_deep_and_once() {
        let schema = Value::from(schema_for!(Outer));
        let found: Vec<(Vec<String>, String)> = nested(&schema)
            .into_iter()
            .map(|Nested { paths, mapping }| (paths, table(mapping, &schema)))
            .collect();
        let [(inner, of_inner), (middle, of_middle)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (&inner[..], &middle[..]),
            (&["either".to_owned(), "many".into(), "one.deep".into()][..], &["one".to_owned()][..])
        );
        assert!(of_inner.contains("| `one_in` | How often. | required |"), "{of_inner}");
        assert!(of_middle.contains("| `deep` | Deep down. |  |"), "{of_middle}");
    }

    #[test]
    fn every_word_of_an_enum_is_told() {
        let schema = Value::from(schema_for!(Outer));
        let words = choices(&schema["properties"]["words"], &schema);
        assert_eq!(words, ["`all`", "`{fixed: ...}`"]);
    }
}
