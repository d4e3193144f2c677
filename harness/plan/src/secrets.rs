//! Secrets that kinds name: where they are written, and from which folder their files are meant.

use std::path::{Path, absolute};

use document::{Node, Sources};
use model::{
    KindSpec, Plan,
    plan::{Line, WrittenSecret},
};
use seams::secure::Secret;
use serde_json::Value;

use crate::{
    catalogs::{Catalogs, Family},
    kinds,
};

/// Makes the files of all secrets absolute, and tells where each secret is written.
pub(crate) fn settle(
    plan: &mut Plan,
    root: &Node,
    sources: &Sources,
    catalogs: &Catalogs,
) -> Vec<WrittenSecret> {
    let mut found = vec![];
    let mut settle = |family: Family, spec: &mut KindSpec, written: Option<&Node>| {
        let Some(kind) = family.find(&spec.kind) else { return };
        for secret in kinds::secrets_named(&(kind.schema)(), &spec.params) {
            let Some(span) = written.and_then(|params| secret.place(params)) else { continue };
            let name = &sources.file(span.source).name;
            let (line, column) = sources.position(span);
            let Some(value) = secret.within(&mut spec.params) else { continue };
            beside(value, Path::new(name));
            let at = Line { file: name.clone(), line, column };
            found.push(WrittenSecret { at, secret: value.clone() });
        }
    };
    let below = |path: &[&str]| path.iter().try_fold(root, |node, key| node.at(key));
    for (name, spec) in &mut plan.services {
        settle(catalogs.services(), spec, below(&["stack", "services", name.as_str()]));
    }
    for (name, fleet) in &mut plan.fleets {
        let written = below(&["traffic", "fleets", name.as_str(), "driver"]);
        settle(catalogs.drivers(), &mut fleet.driver, written);
    }
    let observers = root.at("observers").map_or(&[][..], Node::items);
    for (name, observer) in &mut plan.observers {
        let is_it = |node: &&Node| node.at("name").and_then(Node::text) == Some(name.as_str());
        let written = observers.iter().find(is_it);
        settle(catalogs.observers(), &mut observer.observer, written);
    }
    found
}

/// The file of a secret is named from the file that it stands in.
fn beside(secret: &mut Value, scenario: &Path) {
    let Ok(Secret::File(file)) = serde_json::from_value(secret.clone()) else { return };
    let path = scenario.parent().unwrap_or(Path::new("")).join(file);
    let path = Secret::File(absolute(&path).unwrap_or(path));
    *secret = serde_json::to_value(path).unwrap_or(Value::Null);
}
