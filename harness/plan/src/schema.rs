//! The JSON schema of scenarios, for editors: the shape of the file with the kinds of this build put where they may stand.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{
    catalogs::{Catalogs, Family, Known},
    grammar,
};

/// JSON schema (draft 2020-12) of a whole scenario.
pub fn schema(catalogs: &Catalogs) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    // The scenario's own type reaches these only through parts that are read later.
    generator.subschema_for::<grammar::Fleet>();
    generator.subschema_for::<grammar::Service>();
    generator.subschema_for::<grammar::Observer>();
    generator.subschema_for::<grammar::Fault>();
    let mut root = Value::from(generator.root_schema_for::<grammar::Scenario>());
    let mut defs = Defs { defs: root["$defs"].as_object().cloned().unwrap_or_default() };
    let fleets = json!({"type": "object", "additionalProperties": {"$ref": "#/$defs/Fleet"}});
    let lab = defs.beside(&catalogs.labs, "kind", None);
    let services = defs.beside(&catalogs.services(), "kind", Some("Service"));
    let drivers = defs.driver(catalogs);
    let observers = defs.beside(&catalogs.observers(), "kind", Some("Observer"));
    let faults = defs.faults(&Family::from(catalogs.faults));
    let gates = defs.gates(&catalogs.gates);
    let lab_names: Vec<&str> = catalogs.labs.names().collect();
    let report_names: Vec<&str> = catalogs.reports.names().collect();
    defs.set("Stack", "lab", json!({"anyOf": [{"enum": lab_names}, lab]}));
    defs.set("Stack", "services", json!({"type": "object", "additionalProperties": services}));
    defs.set("Traffic", "fleets", fleets);
    defs.set("Fleet", "driver", drivers);
    root["$defs"] = Value::Object(defs.defs);
    root["properties"]["observers"] = json!({"type": "array", "items": observers});
    root["properties"]["faults"] = json!({"type": "array", "items": faults});
    root["properties"]["gates"] = json!({"type": "array", "items": gates});
    root["properties"]["reports"] = json!({"type": "array", "items": {"enum": report_names}});
    root["required"] = json!(["scenario", "stack", "traffic"]);
    root
}

struct Defs {
    defs: Map<String, Value>,
}

impl Defs {
    fn set(&mut self, def: &str, property: &str, schema: Value) {
        let target = self
            .defs
            .get_mut(def)
            .and_then(|def| def.get_mut("properties"))
            .and_then(Value::as_object_mut);
        if let Some(properties) = target {
            let about = properties.get(property).and_then(|old| old.get("description")).cloned();
            let mut schema = schema;
            if let (Some(about), Some(object)) = (about, schema.as_object_mut()) {
                object.insert("description".into(), about);
            }
            properties.insert(property.to_owned(), schema);
        }
    }

    /// The schema of a kind's parameters; its definitions move up to the document's, under a name of the kind's own.
    fn params(&mut self, family: &Family, kind: &Known) -> Value {
        let mut schema = Value::from((kind.schema)());
        let object = schema.as_object_mut().expect("parameters are a mapping");
        object.remove("$schema");
        let own = object.remove("$defs");
        let prefix = format!("{}.{}.", family.noun, kind.name);
        for (name, def) in own.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let mut def = def.clone();
            rename(&mut def, &prefix);
            self.defs.insert(format!("{prefix}{name}"), def);
        }
        rename(&mut schema, &prefix);
        schema
    }

    /// Kinds whose parameters stand beside their name and beside keys of the engine's own, those of the definition `base`.
    fn beside(&mut self, family: &Family, key: &str, base: Option<&str>) -> Value {
        let base = base
            .and_then(|name| self.defs.get(name))
            .and_then(|def| def.get("properties"))
            .and_then(Value::as_object)
            .cloned();
        let of_kind = |defs: &mut Self, kind: &Known| {
            let mut schema = defs.params(family, kind);
            let mut properties = base.clone().unwrap_or_default();
            properties
                .insert(key.to_owned(), json!({"const": kind.name, "description": kind.about}));
            properties.extend(
                schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default(),
            );
            schema["type"] = "object".into();
            schema["properties"] = Value::Object(properties);
            schema["additionalProperties"] = false.into();
            schema
        };
        let kinds: Vec<Value> = family.kinds.iter().map(|kind| of_kind(self, kind)).collect();
        json!({"oneOf": kinds})
    }

    fn driver(&mut self, catalogs: &Catalogs) -> Value {
        let mut schema = self.beside(&catalogs.drivers(), "kind", None);
        for kind in schema["oneOf"].as_array_mut().into_iter().flatten() {
            kind["properties"]["service"] =
                json!({"type": "string", "description": "Default: the only one."});
        }
        schema
    }

    /// A fault: when, and exactly one kind with its parameters below its name.
    fn faults(&mut self, family: &Family) -> Value {
        let base = self
            .defs
            .get("Fault")
            .and_then(|def| def.get("properties"))
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let of_kind = |defs: &mut Self, kind: &Known| {
            let mut properties = base.clone();
            let mut params = defs.params(family, kind);
            params["description"] = kind.about.into();
            properties.insert(kind.name.to_owned(), params);
            json!({"type": "object", "properties": properties, "required": [kind.name], "additionalProperties": false})
        };
        let kinds: Vec<Value> = family.kinds.iter().map(|kind| of_kind(self, kind)).collect();
        json!({"oneOf": kinds})
    }

    /// A gate: one key, and below it the parameters or the limit alone.
    fn gates(&mut self, family: &Family) -> Value {
        let mut properties = Map::new();
        for kind in &family.kinds {
            let params = self.params(family, kind);
            properties.insert(kind.name.to_owned(), json!({"description": kind.about, "anyOf": [params, {"type": ["string", "number"]}]}));
        }
        json!({"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1})
    }
}

/// References of a kind's schema point to its own definitions.
fn rename(value: &mut Value, prefix: &str) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{prefix}{name}");
            }
            object.values_mut().for_each(|value| rename(value, prefix));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, prefix)),
        _ => {}
    }
}
