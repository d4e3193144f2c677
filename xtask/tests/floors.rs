//! Imports go from a higher floor to a lower one, never sideways, never up.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Every room with its floor. A room that is missing here fails the test: decide where it stands.
const FLOORS: &[(&str, u8)] = &[
    ("wetdress-model", 0),
    ("wetdress-document", 0),
    ("wetdress-seams", 1),
    ("wetdress-run", 1),
    ("wetdress-fabric", 1),
    ("wetdress-plan", 2),
    ("wetdress-conductor", 2),
    ("wetdress-traffic", 2),
    ("wetdress-findings", 2),
    ("wetdress-faults", 2),
    ("wetdress-reference", 2),
    ("wetdress-basic", 2),
    ("wetdress-etcd", 2),
    ("wetdress-kafka", 2),
    ("wetdress-postgres", 2),
    ("wetdress-mosquitto", 2),
    ("wetdress-nats", 2),
    ("wetdress-rabbitmq", 2),
    ("wetdress-redis", 2),
    ("wetdress-zookeeper", 2),
    ("wetdress-local", 2),
    ("wetdress-pretend", 2),
    ("wetdress-drill", 3),
    ("wetdress-reports", 3),
    ("wetdress", 4),
];

/// Tools beside the house.
const OUTSIDE: &[&str] = &["xtask", KIT];

/// Tests of every room may use it, and nothing that is shipped may.
const KIT: &str = "wetdress-kit";

fn workspace() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let document: Value = serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON");
    document["packages"].as_array().expect("a list of packages").clone()
}

/// What is wrong with these imports, one line each.
fn violations(imports: &[(String, String)]) -> Vec<String> {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut wrong = vec![];
    for (room, import) in imports {
        if import == KIT {
            wrong.push(format!("{room} ships {KIT}, which is for tests only"));
        }
        if OUTSIDE.contains(&room.as_str()) {
            continue;
        }
        match (floors.get(room.as_str()), floors.get(import.as_str())) {
            (None, _) => wrong.push(format!("{room} has no floor")),
            (Some(mine), Some(theirs)) if theirs >= mine => {
                wrong.push(format!("{room} (floor {mine}) imports {import} (floor {theirs})"))
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn imports_go_down_only() {
    let packages = workspace();
    let name = |package: &Value| package["name"].as_str().expect("a package has a name").to_owned();
    let rooms: Vec<String> = packages.iter().map(name).collect();
    let mut imports = vec![];
    for package in &packages {
        // Tests of a room may look at rooms beside it: only what is shipped counts.
        let shipped = package["dependencies"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|d| d["kind"].is_null() || d["kind"] == "build");
        let shipped =
            shipped.map(|d| d["name"].as_str().expect("a dependency has a name").to_owned());
        imports.extend(shipped.chain([String::new()]).map(|import| (name(package), import)));
    }
    assert!(
        imports.iter().any(|(room, import)| room == "wetdress" && rooms.contains(import)),
        "the graph was read"
    );
    assert_eq!(violations(&imports), Vec::<String>::new());
    for (room, _) in FLOORS {
        assert!(rooms.iter().any(|name| name == room), "{room} is not in the workspace");
    }
}

#[test]
fn a_wrong_import_is_seen() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(violations(&[pair("wetdress-model", "wetdress-seams")]).len(), 1, "up");
    assert_eq!(violations(&[pair("wetdress-plan", "wetdress-faults")]).len(), 1, "sideways");
    assert_eq!(violations(&[pair("wetdress-new-room", "serde")]).len(), 1, "no floor");
    assert_eq!(violations(&[pair("wetdress-plan", KIT)]).len(), 1, "for tests only");
    assert_eq!(
        violations(&[pair("wetdress", "wetdress-model"), pair("wetdress-model", "serde")]).len(),
        0
    );
}
