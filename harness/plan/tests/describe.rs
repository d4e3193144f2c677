//! What `wetdress plan`, `explain` and `schema` say.

mod kinds;

use wetdress_plan::{describe, explain, reference, schema, warnings};

const DRILL: &str = "
scenario: short-drill
summary: us-west loses power for ten seconds.
seed: 7
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services: {store: {kind: reference, election_timeout: 2s}}
traffic:
  fleets:
    terminals: {assets: 300, streams: {status: {every: 1s}}}
phases:
  - {name: warmup, for: 2s, measure: false}
  - {name: baseline, for: 60s}
  - {name: outage, for: 10s}
  - {name: recovery, for: 10s}
  - {name: verify, until: quiesced, max: 10s}
faults:
  - {id: lose-west, at: outage, region-loss: {region: us-west, how: power}}
gates:
  - rto: 5s
  - latency.ack.p99: {max: 250ms, during: baseline}
reports: [terminal]
";

fn load(text: &str) -> model::Plan {
    wetdress_plan::load(text, "drill.yaml", &kinds::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn told(text: &str) -> Vec<String> {
    warnings(&load(text), &kinds::catalogs()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_plan_says_what_it_would_do() {
    let description = describe(&load(DRILL), &kinds::catalogs());
    insta::assert_snapshot!(description.to_string());
    let data = serde_json::to_value(&description).expect("a description is data");
    assert_eq!(data["faults"][0]["reach"]["nodes_hit"], 1);
    assert_eq!(data["regions"]["us-west"]["assets"], 100);
}

/// 300 readings/s of 300 assets in three regions, 100 in each.
#[test]
fn a_capacity_gives_ratios() {
    let with =
        |capacity: &str| DRILL.replace("traffic:", &format!("traffic:\n  capacity: {capacity}"));
    let text = with("{readings: 1000/s, connects: 10/s, queue: 150}").replace(
        "status: {every: 1s}}",
        "status: {every: 1s}}, load: [{during: outage, rate: 2x}]",
    );
    let description = describe(&load(&text), &kinds::catalogs());
    let ratios = serde_json::to_value(description.ratios).expect("ratios are data");
    let near = |name: &str, value: f64| {
        let found = ratios[name].as_f64().unwrap_or(f64::NAN);
        assert!((found - value).abs() < 1e-9, "{name} is {found}, not {value}");
    };
    near("rho", 0.3);
    near("rho_fault", 0.9);
    near("herd", 2.0);
    near("queue", 3.0);
    near("replay", 5.0);
    assert!(description.to_string().contains("rho 0.300: 300.0 of 1000.0 readings/s"));
    let remarks = |capacity: &str| told(&with(capacity)).join("\n");
    assert!(!remarks("{readings: 1000/s}").contains("`traffic`"));
    assert!(remarks("{readings: 300/s}").contains("overloaded by plan"));
    assert!(remarks("{readings: 440/s}").contains("once a region is lost"));
    assert!(remarks("{readings: 9000/s}").contains("shows nothing of a loaded one"));
    assert!(remarks("{readings: 1000/s, connects: 90/s}").contains("no reconnect storm"));
}

/// The slowest interval under a load is what an outage is known to, from the first fault on.
#[test]
fn a_load_stretches_what_gates_rest_on_and_a_baseline_is_level() {
    let with = |load: &str| {
        DRILL.replace("status: {every: 1s}}", &format!("status: {{every: 1s}}}}, load: [{load}]"))
    };
    let proof =
        |shape: &str| describe(&load(&with(shape)), &kinds::catalogs()).gates[0].can_prove.clone();
    assert!(proof("{during: outage, rate: 80%}").contains("to about 1250ms"));
    assert!(proof("{during: baseline, rate: 20%}").contains("to about 1s"), "before the fault");
    let level = told(&with("{during: baseline, rate: 2x}")).join("\n");
    assert!(!level.contains("keep it level"), "{level}");
    let ramp = told(&with("{during: baseline, ramp: {to: 2x}}")).join("\n");
    assert!(ramp.contains("goes from 1x to 2x"), "{ramp}");
}

#[test]
fn a_gate_below_the_stacks_timers_is_told() {
    let text = DRILL.replace("rto: 5s", "rto: 3s");
    assert!(
        told(&text).iter().any(|line| line.contains("election_timeout of 2s")),
        "{:?}",
        told(&text)
    );
    assert!(
        !told(&DRILL.replace("rto: 5s", "rto: 4500ms"))
            .iter()
            .any(|line| line.contains("election_timeout"))
    );
}

#[test]
fn readings_too_rare_for_a_limit_are_told() {
    assert!(told(DRILL).iter().any(|line| line.contains("more than 10 %")), "{:?}", told(DRILL));
    let text = DRILL.replace("every: 1s", "every: 100ms");
    assert!(!told(&text).iter().any(|line| line.contains("more than 10 %")));
}

#[test]
fn a_percentile_without_enough_readings_is_told() {
    let text = DRILL.replace("assets: 300", "assets: 5");
    assert!(
        told(&text)
            .iter()
            .any(|line| line.contains("295 readings in baseline, and at least 299 are needed")),
        "{:?}",
        told(&text)
    );
    assert!(!told(DRILL).iter().any(|line| line.contains("are needed")));
    let text = DRILL.replace("for: 60s", "for: 59s");
    assert!(
        told(&text)
            .iter()
            .any(|line| line.contains("45 s of whole 15 s slots, and at least 60 s are needed")),
        "{:?}",
        told(&text)
    );
    let text = DRILL
        .replace("during: baseline", "during: outage")
        .replace("outage, for: 10s", "outage, for: 60s");
    assert!(
        told(&text).iter().any(|line| line.contains("percentiles mean nothing")),
        "{:?}",
        told(&text)
    );
}

/// Less than the deadline is left after the last second of sending. What a plan promises of the baseline is what gates judge: the steady phase of that name, wherever it stands, else the first steady one.
#[test]
fn a_percentile_without_a_phase_is_promised_of_the_baseline() {
    let fault = "  - {id: lose-west, at: outage, region-loss: {region: us-west, how: power}}\n";
    let text = DRILL
        .replace(fault, "")
        .replace("faults:\n", "")
        .replace("  - rto: 5s\n", "")
        .replace(", during: baseline", "")
        .replace("warmup, for: 2s, measure: false", "soak, for: 90s")
        .replace("  - {name: outage, for: 10s}\n  - {name: recovery, for: 10s}\n", "");
    let promised =
        |text: &str| describe(&load(text), &kinds::catalogs()).gates[0].can_prove.clone();
    assert!(promised(&text).starts_with("17700 readings in baseline;"), "{}", promised(&text));
    let text = text.replace("name: baseline", "name: calm");
    assert!(promised(&text).starts_with("27000 readings in soak;"), "{}", promised(&text));
    let text = text.replace("{name: soak, for: 90s}", "{name: soak, for: 90s, measure: false}");
    assert!(promised(&text).starts_with("17700 readings in calm;"), "{}", promised(&text));
    let text = text.replace("{name: calm, for: 60s}", "{name: calm, for: 60s, measure: false}");
    assert!(promised(&text).starts_with("nothing: every phase"), "{}", promised(&text));
}

#[test]
fn two_touching_kills_are_told() {
    let second = |at: &str| {
        DRILL.replace("  - rto: 5s\n", "").replace(
            "gates:",
            &format!("  - {{id: again, at: {at}, kill: {{node: store-us-west-1}}}}\ngates:"),
        )
    };
    assert!(told(&second("outage + 2s")).iter().any(|line| line.contains("touches `lose-west`")));
    assert!(!told(&second("recovery + 1s")).iter().any(|line| line.contains("touches")));
}

#[test]
fn kinds_explain_themselves() {
    let catalogs = kinds::catalogs();
    let page = explain("region-loss", &catalogs).expect("it is a kind");
    assert!(page.contains("`power`") && page.contains("Which region."), "{page}");
    assert_eq!(explain("no-such-kind", &catalogs), None);
    let pages = reference(&catalogs);
    let all: String = pages.iter().map(|(_, text)| text.as_str()).collect();
    for (noun, name, about) in wetdress_plan::list(&catalogs) {
        assert!(all.contains(&format!("## {noun} `{name}`\n{about}")), "{noun} {name}");
    }
}

#[test]
fn the_schema_knows_every_kind_and_has_no_loose_reference() {
    let schema = schema(&kinds::catalogs());
    let text = schema.to_string();
    for name in [
        "region-loss",
        "latency.ack.p99",
        "\"const\":\"reference\"",
        "\"pretend\"",
        "election_timeout",
        "max_inflight",
    ] {
        assert!(text.contains(name), "{name}");
    }
    let mut waiting = vec![&schema];
    while let Some(value) = waiting.pop() {
        if let Some(reference) = value.get("$ref").and_then(|reference| reference.as_str()) {
            let name = reference.strip_prefix("#/$defs/").expect("references stay inside");
            assert!(schema["$defs"].get(name).is_some(), "{reference}");
        }
        waiting.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        waiting.extend(value.as_array().into_iter().flatten());
    }
}
