//! Parameters of a kind, drawn from its own schema: a kind that joins a catalog is drawn from then on. What the schema cannot say
//! (that exactly one of several words stands there, that a node exists) is left to whoever reads the scenario: it refuses the draw.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Names that parameters may mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) regions: Vec<String>,
    pub(crate) services: Vec<String>,
    /// Services, and their shards as `service/shard`.
    pub(crate) places: Vec<String>,
    pub(crate) nodes: Vec<String>,
    pub(crate) fleets: Vec<String>,
    pub(crate) observers: Vec<String>,
    pub(crate) phases: Vec<String>,
    pub(crate) ports: Vec<u16>,
}

/// A draw of the parameters. None where the schema holds a shape that is not known here, which the caller tells.
pub(crate) fn params(schema: &Value, names: &Names, random: &mut Random) -> Option<Value> {
    Drawing { root: schema, names }.object(schema, random)
}

struct Drawing<'a> {
    root: &'a Value,
    names: &'a Names,
}

impl Drawing<'_> {
    fn object(&self, schema: &Value, random: &mut Random) -> Option<Value> {
        let required = |key: &str| {
            let listed = schema["required"].as_array().into_iter().flatten();
            listed.into_iter().any(|name| name == key)
        };
        let mut drawn = Map::new();
        let Some(properties) = schema["properties"].as_object() else { return Some(json!({})) };
        let share = 100 / (1 + properties.len() as u64 / 2).min(5);
        for (key, value) in properties {
            if required(key) || random.percent(share) {
                drawn.insert(key.clone(), self.value(key, value, random)?);
            }
        }
        Some(drawn.into())
    }

    fn value(&self, key: &str, schema: &Value, random: &mut Random) -> Option<Value> {
        if let Some(named) = self.named(key, schema, random) {
            return Some(named);
        }
        if let Some(path) = schema["$ref"].as_str() {
            let target = self.root.pointer(path.strip_prefix('#')?)?;
            return self.value(key, target, random);
        }
        if let Some(one) = schema.get("const") {
            return Some(one.clone());
        }
        if let Some(all) = schema["enum"].as_array() {
            return random.of(all).cloned();
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(all) = schema[choice].as_array() {
                let real: Vec<&Value> = all.iter().filter(|one| one["type"] != "null").collect();
                return self.value(key, random.of(&real)?, random);
            }
        }
        self.typed(key, schema, random)
    }

    fn typed(&self, key: &str, schema: &Value, random: &mut Random) -> Option<Value> {
        let of_list = |list: &Vec<Value>| list.iter().find_map(Value::as_str).map(str::to_owned);
        let kind = match &schema["type"] {
            Value::Array(list) => of_list(list)?,
            other => other.as_str()?.to_owned(),
        };
        match kind.as_str() {
            "object" => self.object(schema, random),
            "boolean" => Some(random.percent(50).into()),
            "integer" => {
                let least = schema["minimum"].as_u64().unwrap_or(0);
                Some(random.between(least, least + 4).into())
            }
            "number" => Some(random.between(0, 400).into()),
            "string" => text(schema["pattern"].as_str()?, random).map(Value::from),
            "array" => {
                let count = schema["minItems"].as_u64().unwrap_or(1);
                let item = |random: &mut Random| self.value(key, &schema["items"], random);
                (0..count).map(|_| item(random)).collect::<Option<Vec<_>>>().map(Value::from)
            }
            _ => None,
        }
    }

    /// A name, where the parameter is known to be one.
    fn named(&self, key: &str, schema: &Value, random: &mut Random) -> Option<Value> {
        let names = self.names;
        let all = match key {
            "region" => &names.regions,
            "service" => &names.services,
            "node" => &names.nodes,
            "fleet" => &names.fleets,
            "observer" => &names.observers,
            "during" | "after" => &names.phases,
            "exclude" => return Some(json!([random.of(&names.nodes)?])),
            // A cohort is called so too, and has its words in the schema.
            "of" if is_free_text(schema) => &names.places,
            "role" => return Some(random.word(&["leader", "follower"])),
            "zone" => return Some("a".into()),
            "process" => return Some("pretend".into()),
            "ports" => return Some(json!([*random.of(&names.ports)?])),
            _ => return None,
        };
        random.of(all).cloned().map(Value::from)
    }
}

fn is_free_text(schema: &Value) -> bool {
    let kinds = schema["type"].as_array();
    let is_text = |kind: &Value| kind == "string";
    let text = is_text(&schema["type"]) || kinds.is_some_and(|kinds| kinds.iter().any(is_text));
    text && schema.get("enum").is_none() && schema.get("pattern").is_none()
}

/// A quantity by the pattern of its unit.
fn text(pattern: &str, random: &mut Random) -> Option<String> {
    let number = random.between(1, 60);
    let quantity = match pattern {
        _ if pattern.contains("baseline") => {
            format!("0.{} x baseline", random.between(1, 9))
        }
        _ if pattern.contains("KiB") => format!("{number}KiB"),
        _ if pattern.contains("bit") => format!("{}kbit", 20 * number),
        _ if pattern.contains('%') => format!("{number}%"),
        _ if pattern.contains("ms") && random.percent(50) => format!("{}ms", 30 * number),
        _ if pattern.contains("ms") => format!("{}s", random.between(1, 20)),
        _ => return None,
    };
    Some(quantity)
}
