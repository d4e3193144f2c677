//! More than there may be: said before anything is made of it, and shortly.

use std::fmt::Write;

use crate::{DRILL, catalogs::catalogs, mistakes, refused};

/// 24,000 regions were 576 million pairs.
#[test]
fn too_many_regions_are_refused_before_their_pairs_are_made() {
    let mut regions = String::new();
    (0..24_000).for_each(|n| write!(regions, "r{n}: {{}}, ").expect("into a text"));
    let by = format!("{{{}}}", regions.trim_end_matches(", "));
    refused("{a: {}, b: {}, c: {}}", &by, "", &["24000 regions", "at most 250"]);
}

#[test]
fn too_much_of_anything_is_refused() {
    let many = |count: usize, item: &dyn Fn(usize) -> String| -> String {
        (0..count).map(item).collect::<Vec<_>>().join(", ")
    };
    let faults = many(251, &|n| format!("{{id: f{n}, at: outage, kill: {{region: a}}}}"));
    refused("", "", &format!("faults: [{faults}]\n"), &["251 faults", "at most 250"]);
    let gates = many(251, &|n| format!("{{outage.longest: {}ms}}", n + 1));
    refused("", "", &format!("gates: [{gates}]\n"), &["251 gates"]);
    let observers = many(65, &|n| format!("{{name: o{n}, service: store, region: a}}"));
    refused("", "", &format!("observers: [{observers}]\n"), &["65 observers"]);
    let streams = many(65, &|n| format!("s{n}: {{every: 1s}}"));
    refused("{s: {every: 1s}}", &format!("{{{streams}}}"), "", &["65 streams"]);
    let fleets = many(65, &|n| format!("t{n}: {{assets: 1, streams: {{s: {{every: 1s}}}}}}"));
    let block = "  fleets:\n    t: {assets: 12, streams: {s: {every: 1s}}}";
    refused(block, &format!("  fleets: {{{fleets}}}"), "", &["65 fleets"]);
    let services = many(65, &|n| format!("x{n}: {{kind: pretend}}"));
    let told = mistakes(&DRILL.replace("{store: {kind: pretend}}", &format!("{{{services}}}")));
    assert!(told.iter().any(|told| told.contains("65 services")), "{told:?}");
    refused(
        "{kind: pretend}",
        "{kind: pretend, nodes: {a: 250, b: 250, c: 250}}",
        "",
        &["750 nodes", "at most 600"],
    );
}

#[test]
fn more_readings_than_can_be_judged_are_refused() {
    let text = DRILL.replace("assets: 12", "assets: 24000").replace("every: 1s", "every: 10ms");
    let told = mistakes(&text).join("\n");
    assert!(told.contains("192000000 readings fall due in this drill"), "{told}");
}

/// Ten thousand mistakes took most of a minute to print.
#[test]
fn of_many_mistakes_the_first_are_told() {
    let mut text = DRILL.to_owned() + "faults:\n";
    let names = |n: usize| format!("      r{n}: [nowhere{n}, nobody{n}]\n");
    let lists: String = (0..5_000).map(names).collect();
    text = text.replace(
        "    t: {assets: 12, streams: {s: {every: 1s}}}",
        &format!(
            "    t:\n      assets: 12\n      streams: {{s: {{every: 1s}}}}\n      failover:\n  {}",
            lists.replace("\n      ", "\n        ")
        ),
    );
    let mistakes = plan::load(&text, "many.yaml", &catalogs()).expect_err("they are wrong");
    let shown = mistakes.render(false);
    assert!(mistakes.count() > 5_000, "{}", mistakes.count());
    assert!(mistakes.list().len() <= 200 && shown.len() < 1 << 20, "{}", shown.len());
    assert!(
        shown.contains("more are not shown; nothing was started"),
        "{}",
        &shown[shown.len() - 200..]
    );
}
