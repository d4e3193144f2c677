//! Parameters of the lab from the command line: read by the lab's own reader, with its messages.

#[path = "../src/catalogs.rs"]
#[allow(dead_code, reason = "the binary's own list of kinds, of which this test needs a part")]
mod catalogs;
#[path = "../src/labs.rs"]
#[allow(dead_code, reason = "the binary's own list of labs, of which this test needs a part")]
mod labs;

use std::{path::Path, process::Command};

use model::Plan;
use plan::{Mistakes, Setting, set_lab};
use serde_json::{Value, json};

fn plan_of(lab: &str) -> Plan {
    let service = if lab.contains("pretend") { "pretend" } else { "reference" };
    let text = format!(
        "scenario: settings\nstack:\n  lab: {lab}\n  regions: {{us-west: {{}}}}\n  services: {{store: {{kind: {service}}}}}\n\
         traffic: {{fleets: {{terminals: {{assets: 60, streams: {{status: {{every: 1s}}}}}}}}}}\n"
    );
    plan::load(&text, "settings.yaml", &catalogs::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn set(lab: &str, settings: &[&str]) -> Result<Value, Mistakes> {
    let settings: Vec<Setting> =
        settings.iter().map(|text| text.parse().expect("a setting")).collect();
    let mut plan = plan_of(lab);
    set_lab(&mut plan, &settings, &catalogs::catalogs())?;
    Ok(plan.lab.params)
}

#[test]
fn settings_lie_over_what_the_scenario_has() {
    let lab = "{kind: local, engine: tun, congestion: reno}";
    let params =
        set(lab, &["engine=af_packet", "packets.keep=0s", "workers=2"]).expect("no mistakes");
    let packets = json!({"keep": "0s", "memory": "16MiB"});
    assert_eq!(
        params,
        json!({"engine": "af_packet", "workers": 2, "packets": packets, "congestion": "reno"})
    );
}

#[test]
fn the_parameters_of_every_lab_are_read_again_as_they_are() {
    for lab in labs::CATALOG.kinds {
        let plan = plan_of(lab.name);
        let mut params = plan.lab.params.clone();
        let example = lab.example.trim_matches(['{', '}']).replace(": ", "=");
        let settings: Vec<&str> = example.split_terminator(", ").collect();
        if let Some(given) = params.as_object_mut() {
            given.extend(settings.iter().filter_map(|setting| {
                let (key, value) = setting.split_once('=')?;
                Some((key.to_owned(), value.into()))
            }));
        }
        let read = set(lab.name, &settings).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(read, params, "{}", lab.name);
    }
}

#[test]
fn a_mistake_is_told_with_the_word_that_was_meant() {
    let told = |settings| set("local", settings).expect_err("a mistake").to_string();
    let key = told(&["engin=tun"]);
    assert!(key.contains("--lab:1:1") && key.contains("did you mean `engine`?"), "{key}");
    let value = told(&["engine=tunn"]);
    assert!(value.contains("--lab:1:9") && value.contains("did you mean `tun`?"), "{value}");
    let inner = told(&["packets.kep=1s"]);
    assert!(inner.contains("did you mean `keep`?"), "{inner}");
    let both = told(&["engin=tun", "workers=many"]);
    assert!(both.contains("2 mistakes"), "{both}");
    for twice in [["engine=tun", "engine=auto"], ["packets.keep=1s", "packets={}"]] {
        let twice = set("local", &twice).expect_err("a mistake").to_string();
        assert!(twice.contains("a parameter is set twice"), "{twice}");
    }
    assert!(set("pretend", &["engine=tun"]).is_err(), "that lab has nothing to choose");
}

#[test]
fn a_word_without_a_value_is_no_setting() {
    for text in ["engine", "=tun", "packets.=1s", ""] {
        let told = text.parse::<Setting>().expect_err(text);
        assert!(told.contains("write `key=value`"), "{told}");
    }
}

#[test]
fn a_wrong_setting_is_wrong_usage_and_starts_nothing() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/first.yaml");
    let mut run = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    run.env("NO_COLOR", "1").arg("run").arg(scenario).arg("--runs").arg(runs.path());
    let out = run.args(["--lab", "engin=tun"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(64), "{said}");
    assert!(said.contains("did you mean `engine`?"), "{said}");
    assert_eq!(runs.path().read_dir().expect("it is there").count(), 0, "no run folder was made");
}

#[test]
fn what_a_lab_cannot_do_is_told_with_its_line_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = folder.path().join("beyond.yaml");
    let text = "scenario: beyond
stack:
  lab: pretend
  regions: {a: {}, b: {}}
  links:
    a ~ b: {delay: 5ms, mtu: 1400B, duplicate: 50%, reorder: 20%}
  services: {logs: {kind: pretend, shards: 1}}
traffic: {fleets: {terminals: {assets: 60, streams: {status: {every: 1s}}}}}
";
    std::fs::write(&scenario, text).expect("a file can be written");
    let mut run = Command::new(env!("CARGO_BIN_EXE_wetdress"));
    run.env("NO_COLOR", "1").arg("run").arg(&scenario).arg("--runs").arg(folder.path());
    let out = run.output().expect("the binary starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{said}");
    let line = format!("\n  {}:6:5: the link `a ~ b` needs Duplicate", scenario.display());
    assert!(said.contains(&line) && said.contains("\nLeave that out"), "{said}");
    assert!(!said.contains("lab open"), "{said}");
}
