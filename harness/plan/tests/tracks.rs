//! Links that change by the clock: what becomes of profiles, traces and contact plans.

mod kinds;

use std::time::Duration;

use model::{Plan, RegionId, Track};
use wetdress_plan::{Input, Mistakes};

/// Beside it stand the tables.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables/test.yaml");

const BASE: &str = "
scenario: clocked
seed: 7
stack:
  regions: {us-west: {}, us-east: {}}
  links:
    us-west ~ us-east: {delay: 16ms LINK}
  services: {store: {kind: reference}}
traffic:
  fleets:
    terminals: {profile: user_terminal, assets: 20, access: {ACCESS}}
phases:
  - {name: baseline, for: 60s}
  - {name: verify, until: quiesced, max: 30s}
";

fn text(access: &str, link: &str) -> String {
    BASE.replace("ACCESS", access).replace("LINK", link)
}

fn try_load(access: &str, link: &str) -> Result<Plan, Mistakes> {
    wetdress_plan::load(&text(access, link), FILE, &kinds::catalogs())
}

fn load(access: &str, link: &str) -> Plan {
    try_load(access, link).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn track(plan: &Plan, cell: &str) -> Track {
    plan.topology.cells[cell].track.clone()
}

/// When, delay in milliseconds, whether it is up.
fn slots(track: &Track) -> Vec<(f64, u128, bool)> {
    track
        .slots
        .iter()
        .map(|slot| (slot.from.as_secs_f64(), slot.quality.delay.as_millis(), slot.up))
        .collect()
}

#[test]
fn a_profile_becomes_slots_up_to_the_plans_end_and_the_other_keys_stay_steady() {
    let plan = load("profile: leo_15s, delay: 5ms, rate: 20Mbit", ", profile: leo_15s");
    let cell = &plan.topology.cells["us-west/terminals"];
    assert_eq!(
        (cell.access.delay, cell.access.rate),
        (Duration::from_millis(5), Some(model::BitRate(20_000_000)))
    );
    assert!(cell.track.slots.last().is_some_and(|slot| slot.from >= plan.latest_end()));
    let pair = |from: &str, to: &str| {
        plan.topology.wan_tracks[&(RegionId::from(from), RegionId::from(to))].clone()
    };
    assert_eq!(
        pair("us-west", "us-east"),
        pair("us-east", "us-west"),
        "a pair given once is one link"
    );
    assert_ne!(
        track(&plan, "us-west/terminals"),
        track(&plan, "us-east/terminals"),
        "each cell has draws of its own"
    );
    assert!(
        plan.topology
            .cells
            .values()
            .filter(|cell| cell.fleet.is_none())
            .all(|cell| cell.track.is_empty())
    );
    let text = serde_json::to_string(&plan).expect("a plan is data");
    assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan is data"), plan);
}

#[test]
fn adding_a_fleet_changes_no_other_fleets_draws() {
    let one = load("profile: leo_15s", "");
    let fleets =
        "fleets:\n    aircraft: {profile: user_terminal, assets: 5, access: {profile: leo_15s}}\n";
    let two = text("profile: leo_15s", "").replace("fleets:\n", fleets);
    let two = wetdress_plan::load(&two, FILE, &kinds::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(track(&one, "us-west/terminals"), track(&two, "us-west/terminals"));
    assert_ne!(track(&two, "us-west/aircraft"), track(&two, "us-west/terminals"));
    let seed =
        Input { text: &text("profile: leo_15s", ""), file: FILE, stack: None, seed: Some(8) };
    let other = wetdress_plan::load_input(&seed, &kinds::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_ne!(
        track(&one, "us-west/terminals"),
        track(&other, "us-west/terminals"),
        "the seed decides"
    );
}

#[test]
fn a_trace_is_read_from_its_file_and_is_a_part_of_the_document() {
    let plan = load("trace: trace.csv", "");
    let track = track(&plan, "us-west/terminals");
    assert_eq!(slots(&track), [(0.0, 20, true), (15.0, 32, true), (20.0, 0, false)]);
    let first = &track.slots[0].quality;
    assert_eq!(
        (first.loss.as_slice(), first.rate),
        (&[model::Chance(1_000)][..], Some(model::BitRate(100_000_000)))
    );
    assert_eq!(
        (first.jitter.len(), track.slots[1].quality.jitter.len()),
        (1, 0),
        "an empty cell says nothing"
    );
    let rows = "trace: [{at: 0s, delay: 20ms, jitter: 1ms, loss: 0.1%, rate: 100Mbit, up: true}, {at: 15s, delay: 32ms}, {at: 20s, up: false}]";
    let inline = load(rows, "");
    assert_eq!(inline.topology, plan.topology);
    assert_eq!(
        inline.source.sha256, plan.source.sha256,
        "the rows are hashed, not the file's name"
    );
    let changed = load(&rows.replace("32ms", "33ms"), "");
    assert_ne!(changed.source.sha256, plan.source.sha256);
    let expanded = wetdress_plan::expand(&Input {
        text: &text("trace: trace.csv", ""),
        file: FILE,
        stack: None,
        seed: None,
    });
    let expanded = expanded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let again = wetdress_plan::load(&expanded, "elsewhere.yaml", &kinds::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(again.topology, plan.topology, "the expanded document needs no other file");
}

#[test]
fn a_repeated_trace_goes_round_until_the_end() {
    let plan = load("trace: [{at: 0s, delay: 1ms}, {at: 30s, delay: 2ms}], repeat: 40s", "");
    let found = slots(&track(&plan, "us-west/terminals"));
    let expected = [(0.0, 1), (30.0, 2), (40.0, 1), (70.0, 2), (80.0, 1), (110.0, 2)];
    assert_eq!(found, expected.map(|(at, delay)| (at, delay, true)));
}

#[test]
fn a_contact_plan_is_silence_outside_its_passes_and_lies_over_the_others() {
    let contacts = |access: &str| {
        let plan = load(access, "");
        let spans = track(&plan, "us-east/terminals").contacts(plan.latest_end());
        spans.into_iter().map(|(a, b)| (a.as_secs(), b.as_secs())).collect::<Vec<_>>()
    };
    assert_eq!(contacts("contact: passes.csv"), [(10, 40), (70, 90)]);
    assert_eq!(
        contacts("contact: [{aos: 10s, los: 40s}, {aos: 70s, los: 100s}]"),
        [(10, 40), (70, 90)]
    );
    assert_eq!(contacts("profile: leo_15s, contact: passes.csv"), [(10, 40), (70, 90)]);
    assert_eq!(
        contacts("trace: trace.csv, contact: passes.csv"),
        [(10, 20)],
        "a trace that is down is silence too"
    );
    let both = load("profile: leo_15s, contact: passes.csv", "");
    let (alone, both) = (load("profile: leo_15s", ""), track(&both, "us-east/terminals"));
    let at = Duration::from_secs(22);
    assert_eq!(
        both.at(at).map(|slot| &slot.quality),
        track(&alone, "us-east/terminals").at(at).map(|slot| &slot.quality)
    );
}

#[test]
fn gates_on_percentiles_are_judged_by_the_longest_clock() {
    let gate = "gates:\n  - latency.ack.p99: {max: 250ms}\n";
    let clock = |access: &str, link: &str, gate: &str| {
        let plan = wetdress_plan::load(&(text(access, link) + gate), FILE, &kinds::catalogs())
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        plan.gates[0].spec.params["clock"].clone()
    };
    assert_eq!(clock("profile: leo_15s", "", gate), "15s");
    assert_eq!(clock("profile: leo_15s", ", trace: [{at: 0s}], repeat: 20s", gate), "20s");
    assert_eq!(
        clock("trace: [{at: 0s}], repeat: 1500ms", "", gate),
        "2s",
        "whole seconds, rounded up"
    );
    assert_eq!(
        clock("profile: leo_15s", "", "gates:\n  - latency.ack.p99: {max: 250ms, clock: 5s}\n"),
        "5s"
    );
    assert_eq!(clock("profile: leo_15s", "", "gates:\n  - latency.ack.p99: 250ms\n"), "15s");
    assert!(clock("delay: 1ms", "", gate).is_null());
}

#[test]
fn mistakes_in_a_table_are_told_at_its_lines() {
    let mistakes = try_load("trace: wrong.csv", "").expect_err("it has mistakes");
    let shown = mistakes.render(false).replace(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/"), "");
    insta::with_settings!({snapshot_path => "snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("mistakes-in-a-table", shown);
    });
}

#[test]
fn what_cannot_be_is_refused() {
    let told = |access: &str, link: &str| {
        let list = try_load(access, link).expect_err("it has a mistake").list();
        assert_eq!(list.len(), 1, "{list:?}");
        list[0].message.clone()
    };
    assert_eq!(told("profile: leo_16s", ""), "unknown profile `leo_16s`");
    assert_eq!(
        told("delay: 1ms", ", contact: [{aos: 1s, los: 2s}]"),
        "a link between regions has no contact plan"
    );
    assert_eq!(told("repeat: 1m", ""), "`repeat` without a trace");
    assert_eq!(told("trace: []", ""), "a trace without a row");
    assert_eq!(
        told("trace: [{at: 5s}]", ""),
        "the trace begins at 5s, and says nothing of the time before"
    );
    assert_eq!(
        told("trace: [{at: 0s}, {at: 9s}, {at: 4s}]", ""),
        "the row at 4s stands behind the one at 9s"
    );
    assert_eq!(
        told("trace: [{at: 0s}, {at: 9s}], repeat: 9s", ""),
        "the trace repeats after 9s, before its last row at 9s"
    );
    assert_eq!(
        told("trace: [{at: 0s}], repeat: 1us", ""),
        "the trace repeats 90000001 times, 1 rows each"
    );
    assert_eq!(told("contact: []", ""), "a contact plan without a pass");
    assert_eq!(
        told("delay: 1ms", ", contact: passes.csv"),
        "a link between regions has no contact plan"
    );
    assert_eq!(told("contact: [{aos: 9s, los: 9s}]", ""), "a pass from 9s to 9s");
    assert_eq!(
        told("contact: [{aos: 1s, los: 9s}, {aos: 8s, los: 10s}]", ""),
        "a pass from 8s, while the one before it lasts until 9s"
    );
    assert!(told("trace: nowhere.csv", "").contains("nowhere.csv` cannot be read"));
    let meant = try_load("profile: leo_16s", "").expect_err("no such profile").list();
    assert_eq!(meant[0].meant, ["leo_15s"]);
}

#[test]
fn what_the_clock_gives_is_there_for_the_steady_keys() {
    load("profile: leo_15s, jitter: 2ms", ", profile: leo_15s, jitter: 2ms");
    load("profile: leo_15s, reorder: 5%", ", trace: [{at: 0s}, {at: 5s, delay: 1ms}], reorder: 5%");
    load("trace: trace.csv, queue: 64KiB", ", trace: trace.csv, queue: 64KiB");
    load("trace: [{at: 0s}], jitter: 2ms", "");
    let told = |access: &str| {
        let list = try_load(access, "").expect_err("it has a mistake").list();
        list.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>()
    };
    assert_eq!(told("profile: leo_15s, queue: 64KiB"), ["`queue` without a `rate` holds nothing"]);
    assert_eq!(
        told("trace: [{at: 0s, rate: 1Mbit}], reorder: 5%"),
        ["`reorder` without a delay changes no order"]
    );
    assert_eq!(
        told("contact: [{aos: 1s, los: 2s}], jitter: 5ms"),
        ["the jitter is larger than the delay"]
    );
    assert_eq!(
        told("trace: nowhere.csv, queue: 64KiB, reorder: 1%").len(),
        1,
        "what the file would have said is not known"
    );
    assert_eq!(told("profile: leo_16s, queue: 64KiB, reorder: 1%").len(), 1);
    assert_eq!(
        told("delay: 9ms, jitter: {width: 1ms, shape: normal, correlation: 100%}"),
        ["`100%` is out of range: the first draw would be every draw"]
    );
}

#[test]
fn mistakes_elsewhere_hide_none_of_a_table() {
    let told = |access: &str, link: &str| {
        let list = try_load(access, link).expect_err("it has mistakes").list();
        list.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>()
    };
    let late = "the trace begins at 5s, and says nothing of the time before";
    assert_eq!(
        told("trace: [{at: 5s}]", ", loss: 101%"),
        ["`101%` is out of range: a share is at most `100%`", late]
    );
    assert_eq!(
        told("contact: []", ", trace: []"),
        ["a trace without a row", "a contact plan without a pass"]
    );
    assert_eq!(told("trace: [{at: 5s}, {at: 6}]", "").len(), 2);
    assert_eq!(
        told("trace: [{at: 0}, {at: 5s}]", ""),
        ["`0` is a bare number where a unit belongs"],
        "the first row is there, and wrong"
    );
    assert_eq!(told("trace: [{at: 0}]", "").len(), 1);
}

#[test]
fn a_profile_makes_no_more_slots_than_a_trace_may() {
    let with = |length: &str| {
        let text = text("profile: leo_15s", "").replace("for: 60s", &format!("for: {length}"));
        let text = text.replace("phases:", "safety: {max_duration: 36525d}\nphases:");
        wetdress_plan::load(&text, FILE, &kinds::catalogs())
    };
    let slots = |length: &str| {
        track(&with(length).unwrap_or_else(|mistakes| panic!("{mistakes}")), "us-west/terminals")
            .slots
            .len()
    };
    assert!((75_000..=100_000).contains(&slots("103h")));
    for length in ["105h", "7d"] {
        let list = with(length).expect_err("it lasts too long").list();
        let of_slots: Vec<_> = list
            .iter()
            .filter(|mistake| {
                mistake.message.starts_with("the profile `leo_15s` changes every 15s")
            })
            .collect();
        assert_eq!(of_slots.len(), 1, "{length}: {list:?}");
        assert!(
            of_slots[0]
                .help
                .as_ref()
                .is_some_and(|help| help.starts_with("Shorten the phases to 104h in all")),
            "{list:?}"
        );
    }
}

#[test]
fn words_that_another_place_takes_are_sent_there() {
    let help = |before: &str, after: &str| {
        let list =
            wetdress_plan::load(&text("", "").replace(before, after), FILE, &kinds::catalogs())
                .expect_err("not here")
                .list();
        assert_eq!((list.len(), list[0].code), (1, "version"), "{list:?}");
        list[0].help.clone().expect("a way out")
    };
    assert_eq!(
        help("assets: 20", "assets: 20, contact: passes.csv"),
        "Move it under `access`, as a list or a CSV file"
    );
    assert!(
        help("assets: 20", "assets: 20, repeat: 5s")
            .starts_with("`access` and each pair of `links` take it")
    );
    assert!(
        help("for: 60s", "for: 60s, profile: leo_15s").contains("each pair of `links` take it")
    );
}

#[test]
fn what_a_contact_plan_leaves_on_its_assets_is_told_beforehand() {
    let told = |access: &str| {
        let plan = load(access, "");
        let warnings = wetdress_plan::warnings(&plan, &kinds::catalogs());
        warnings
            .into_iter()
            .filter(|warning| warning.about == "terminals")
            .map(|warning| warning.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(told("contact: [{aos: 10s, los: 40s}, {aos: 50s, los: 90s}]"), Vec::<String>::new());
    let oldest = told("contact: [{aos: 10s, los: 90s}]}, recorder: {replay: {order: oldest_first}");
    let of_order: Vec<&String> =
        oldest.iter().filter(|told| told.starts_with("replays the oldest first")).collect();
    assert_eq!(of_order.len(), 1, "once per fleet, not once per region: {oldest:?}");
    let ends = told("contact: [{aos: 10s, los: 40s}]");
    assert_eq!(
        ends[0],
        "has no contact in `us-east` from 40s on: what it records then is never sent"
    );
    let short = told("contact: [{aos: 30s, los: 34s}, {aos: 50s, los: 90s}]");
    assert_eq!(
        short[0],
        "its pass at 30s in `us-east` is too short to replay 30s of silence at 5x"
    );
}

#[test]
fn a_gate_is_promised_the_readings_of_contact_time_only() {
    let samples = |access: &str| {
        let gate = "gates:\n  - latency.ack.p99: {max: 250ms}\n";
        let text = (text(access, "") + gate)
            .replace("assets: 20", "assets: 20, streams: {status: {every: 1s}}");
        let plan = wetdress_plan::load(&text, FILE, &kinds::catalogs())
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        wetdress_plan::describe(&plan, &kinds::catalogs()).gates[0].samples
    };
    // The last second leaves no theta: of the run, and of the contact. Jitter moves one reading of the first over its edge.
    assert_eq!(
        (samples("profile: leo_15s"), samples("contact: [{aos: 0s, los: 30s}]")),
        (Some(20 * 59 - 1), Some(20 * 29))
    );
}
