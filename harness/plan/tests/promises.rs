//! What a plan promises of its gates, and what it does not: probes, fault edges, broken slots, groups that get nothing.

mod kinds;

use std::collections::BTreeMap;

use wetdress_plan::{Description, describe, warnings};

const DRILL: &str = "
scenario: promises
seed: 7
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services: {store: {kind: reference}}
traffic:
  fleets:
    plants: {assets: 51, streams: {status: {every: 1s}}}
    meters: {assets: 4, home: {us-west: 75%, us-east: 25%}, streams: {status: {every: 5s}, log: {every: 100ms, ack: best_effort}}}
phases:
  - {name: warmup, for: 5s, measure: false}
  - {name: baseline, for: 74s}
  - {name: outage, for: 20s}
  - {name: recovery, for: 40s}
  - {name: calm, for: 61s}
  - {name: cool, for: 5s, measure: false}
  - {name: verify, until: quiesced, max: 30s}
faults:
  - {id: lose-west, at: outage, region-loss: {region: us-west}}
gates:
  - outage.longest: 55s
  - latency.ack.p99: {max: 250ms, during: baseline}
";

fn described(text: &str) -> Description {
    let catalogs = kinds::catalogs();
    let plan = wetdress_plan::load(text, "promises.yaml", &catalogs)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    describe(&plan, &catalogs)
}

/// Readings that the gate on percentiles gets, and in words; with these parameters.
fn promised(text: &str, params: &str) -> (u64, String) {
    let text = text.replace("{max: 250ms, during: baseline}", params);
    let gates = described(&text).gates;
    let gate = gates.iter().find(|gate| gate.gate.starts_with("latency")).expect("it is asked for");
    (gate.samples.unwrap_or_default(), gate.can_prove.clone())
}

#[test]
fn whole_slots_of_what_needs_an_ack_are_promised() {
    // 60 of the 74 s are whole slots; `log` asks for no ack.
    let all = 51 * 60 + 4 * 12;
    assert_eq!(promised(DRILL, "{max: 250ms, during: baseline}").0, all);
    let (with_probes, _) = promised(
        &DRILL.replace("phases:", "  probe: {every: 100ms}\nphases:"),
        "{max: 250ms, during: baseline}",
    );
    assert_eq!(with_probes, all, "probes are no assets");
    assert_eq!(
        promised(DRILL, "{max: 250ms, during: baseline, clock: 37s}").0,
        51 * 73 + 4 * 15 - 2
    );
    let fault = DRILL.replace("for: 74s", "for: 75s");
    assert_eq!(
        promised(&fault, "{max: 250ms, during: baseline}").0,
        51 * 74 + 60,
        "theta is left out"
    );
    let (_, why) = promised(DRILL, "{max: 250ms, during: baseline, clock: 1500ms}");
    assert!(why.contains("no whole number of seconds"), "{why}");
}

#[test]
fn the_smallest_group_is_promised_and_named() {
    for (params, samples, group) in [
        ("{max: 250ms, during: baseline, by: fleet}", 48, "baseline of meters, the smallest of 2"),
        // 17 plants; the others live elsewhere.
        ("{max: 250ms, during: baseline, by: region}", 17 * 60, "eu-west, the smallest of 3"),
        ("{max: 250ms, during: baseline, by: shard}", 25 * 60 + 24, "store/s1, the smallest of 2"),
    ] {
        let (found, words) = promised(DRILL, params);
        assert_eq!(found, samples, "{words}");
        assert!(words.contains(group), "{words}");
    }
    let both = DRILL.replace("{max: 250ms, during: baseline}", "{max: 250ms, during: calm}");
    assert_eq!(promised(&both, "").0, 51 * 60 + 48, "cut to whole slots too");
}

/// What an asset records out of contact is replayed at its own pace; theta before the end of a contact is undecided.
#[test]
fn planned_silence_is_not_promised() {
    let text = DRILL.replace(
        "plants: {assets: 51,",
        "plants: {assets: 51, access: {contact: [{aos: 15s, los: 25s}, {aos: 50s, los: 300s}]},",
    );
    // From 15 to 24 s, and from 50 to 65 s.
    assert_eq!(promised(&text, "{max: 250ms, during: baseline}").0, 51 * (9 + 15) + 48);
}

/// A drill's last phase may end as soon as everything is decided: what is sent at the very end is undecided then.
#[test]
fn the_last_moments_of_sending_are_not_promised() {
    let text = DRILL
        .replace("  - {name: cool, for: 5s, measure: false}\n", "")
        .replace("name: calm, for: 61s", "name: calm, for: 60s")
        .replace("{max: 250ms, during: baseline}", "{max: 250ms, during: calm}");
    assert_eq!(promised(&text, "").0, 51 * 59 + 48 - 2);
}

#[test]
fn a_platform_gate_is_promised_what_its_observer_is_shown() {
    let text = DRILL.replace("latency.ack", "latency.platform");
    let of = |observer: &str| {
        let text = text.replace(
            "phases:",
            &format!("observers:\n  - {{name: seen, service: store, region: us-east, {observer}}}\nphases:"),
        );
        promised(&text, "{max: 2s, observer: seen, during: baseline}").0
    };
    // All of its readings are shown, also those that nobody waits for.
    assert_eq!(of("fleets: [meters]"), 4 * 600 + 48);
    assert_eq!(of("shows: replica"), 4 * 600 + 48 + 51 * 60);
}

#[test]
fn rates_and_blast_radius_leave_probes_out() {
    let text = DRILL.replace("phases:", "  probe: {every: 100ms}\nphases:");
    let (with, without) = (described(&text), described(DRILL));
    let rates = |found: &Description| -> BTreeMap<String, (u32, f64)> {
        let lines = found.regions.iter();
        lines.map(|(name, line)| (name.to_string(), (line.assets, line.readings_per_s))).collect()
    };
    assert_eq!(rates(&with), rates(&without));
    assert_eq!(with.faults[0].reach, without.faults[0].reach);
    assert!(with.to_string().contains("probes, "), "{with}");
}

/// Only what finds no other way piles up, by the readings that fall due.
#[test]
fn the_backlog_is_of_those_who_have_no_other_way() {
    let backlog =
        |text: &str| described(text).faults.iter().map(|it| it.backlog).collect::<Vec<_>>();
    assert_eq!(backlog(DRILL), [0], "everybody may go elsewhere");
    let pinned =
        DRILL.replace("plants: {assets: 51,", "plants: {assets: 51, failover: {us-west: []},");
    assert_eq!(backlog(&pinned), [17 * 20]);
    let with_probe = pinned.replace("phases:", "  probe: {every: 100ms}\nphases:");
    assert_eq!(backlog(&with_probe), [17 * 20], "probes are no assets");
    let everywhere = |at: &str| {
        let faults = ["us-east", "eu-west"].map(|region| {
            format!("  - {{id: {region}, at: {at}, for: 10s, region-loss: {{region: {region}}}}}\n")
        });
        DRILL.replace("gates:", &format!("{}gates:", faults.concat()))
    };
    let all = 51 * 10 + 4 * 2;
    assert_eq!(backlog(&everywhere("outage")), [all, all, all], "together they leave none");
    assert_eq!(backlog(&everywhere("recovery")), [0, 0, 0], "two of three leave one");
}

/// Of two services, the loss of one leaves the assets of the other alone.
#[test]
fn the_backlog_is_of_the_service_that_is_lost() {
    let text = DRILL
        .replace(
            "services: {store: {kind: reference}}",
            "services: {store: {kind: reference}, ledger: {kind: reference}}",
        )
        .replace("meters: {", "meters: {driver: {service: ledger}, ")
        .replace("plants: {", "plants: {driver: {service: store}, ")
        .replace("region-loss: {region: us-west}", "kill: {of: ledger, role: leader}")
        .replace("regions: {us-west: {}, us-east: {}, eu-west: {}}", "regions: {us-west: {}}")
        .replace("home: {us-west: 75%, us-east: 25%}, ", "");
    assert_eq!(described(&text).faults[0].backlog, 4 * 4);
}

#[test]
fn a_fault_that_no_gate_on_outages_judges_is_told() {
    let told = |text: &str| {
        let catalogs = kinds::catalogs();
        let plan = wetdress_plan::load(text, "promises.yaml", &catalogs)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let all: Vec<String> = warnings(&plan, &catalogs).iter().map(ToString::to_string).collect();
        all.into_iter().filter(|line| line.contains("nothing judges how long")).count()
    };
    assert_eq!(told(DRILL), 0);
    let without = DRILL.replace("  - outage.longest: 55s\n", "");
    assert_eq!(told(&without), 1);
    assert_eq!(told(&DRILL.replace("outage.longest: 55s", "asset_seconds_lost: 100")), 0);
    assert_eq!(told(&DRILL.replace("outage.longest: 55s", "rto: 4s")), 0);
    let calm = without
        .replace("faults:\n  - {id: lose-west, at: outage, region-loss: {region: us-west}}\n", "");
    assert_eq!(told(&calm), 0, "nobody is out on a normal day");
}

/// One rule for every gate that rests on readings while a fault lasts.
#[test]
fn what_nobody_looks_at_is_refused() {
    let refused = |gate: &str, from: &str, to: &str| {
        let text = DRILL.replace("outage.longest: 55s", gate).replace(from, to);
        let mistakes = wetdress_plan::load(&text, "promises.yaml", &kinds::catalogs()).err();
        mistakes.map(|mistakes| mistakes.list()[0].message.clone())
    };
    let (often, seldom) = ("status: {every: 5s}", "status: {every: 25s, phase: aligned}");
    for gate in ["outage.longest: 0s", "asset_seconds_lost: 0", "rto: 1s", "goodput: {min: 0.5}"] {
        assert_eq!(refused(gate, often, often), None, "{gate}");
    }
    // 75, 100, 125 s: nothing in the outage, from 79 to 99 s.
    for gate in ["outage.longest: 0s", "asset_seconds_lost: 0"] {
        let why = refused(gate, often, seldom).expect("nobody looks");
        assert!(
            why.contains("4 of 4 assets of `meters` have no reading due between `lose-west` and the next planned change"),
            "{why}"
        );
    }
    assert!(
        refused("rto: 1s", often, seldom).is_some_and(|why| why.contains("too short to decide"))
    );
    assert_eq!(refused("stuck_assets: 0", often, seldom), None, "they are asked afterwards");
    let rare = "status: {every: 300s, phase: aligned}";
    let why = refused("stuck_assets: 0", often, rare).expect("nobody looks");
    assert!(why.contains("no reading due after the last heal"), "{why}");
    let calm = "faults:\n  - {id: lose-west, at: outage, region-loss: {region: us-west}}\n";
    let why = refused("rto: 1s", calm, "").expect("nothing to recover from");
    assert!(why.contains("no fault is planned"), "{why}");
    assert_eq!(refused("outage.longest: 55s", calm, ""), None);
    let why = refused("goodput: {min: 0.5, during: verify}", often, often).expect("nobody sends");
    assert!(why.contains("no reading is due in verify"), "{why}");
}
