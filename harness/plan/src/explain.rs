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
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
        return text + "\nIt has no parameters.\n";
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    text += "\n| parameter | what | default |\n|---|---|---|\n";
    for (name, property) in properties {
        let about = property
            .get("description")
            .and_then(Value::as_str)
            .or_else(|| resolved(property, &schema)?.get("description")?.as_str());
        let about = about.unwrap_or("").replace('\n', " ").replace('|', "\\|");
        let choices = choices(property, &schema);
        let choices = if choices.is_empty() {
            String::new()
        } else {
            format!(" One of {}.", choices.join(", "))
        };
        let default = match property.get("default") {
            Some(Value::Null) | None if required.contains(&name.as_str()) => "required".to_owned(),
            Some(Value::Null) | None => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        text += &format!("| `{name}` | {about}{choices} | {default} |\n");
    }
    text
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

/// The definition that a property refers to, directly or as one of two where the other is null.
fn resolved<'s>(property: &'s Value, root: &'s Value) -> Option<&'s Value> {
    let options = ["anyOf", "allOf", "oneOf"].iter().find_map(|key| property.get(key)?.as_array());
    let reference =
        property.get("$ref").or_else(|| options?.iter().find_map(|option| option.get("$ref")))?;
    let name = reference.as_str()?.strip_prefix("#/$defs/")?;
    root.get("$defs")?.get(name)
}

fn choices(property: &Value, root: &Value) -> Vec<String> {
    let of = resolved(property, root).unwrap_or(property);
    let words = |value: &Value| -> Vec<String> {
        let listed = value.get("enum").and_then(Value::as_array).into_iter().flatten();
        let single = value.get("const").into_iter();
        listed.chain(single).filter_map(Value::as_str).map(|word| format!("`{word}`")).collect()
    };
    let variants = of.get("oneOf").and_then(Value::as_array).into_iter().flatten().flat_map(words);
    words(of).into_iter().chain(variants).collect()
}
