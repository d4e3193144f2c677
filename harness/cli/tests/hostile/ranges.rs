//! Values that hang, fail or mean nothing: each is refused with the least or the greatest value that may stand there.

use document::{Ids, Kind, Node, SourceId, parse};

use crate::{
    catalogs::catalogs,
    mistakes, refused,
    tree::{read, with, write},
};

const OBSERVER: &str =
    "observers:\n  - {name: cur, service: store, region: b, shows: current_value, ";

#[test]
fn what_is_too_little_is_refused_with_its_least_value() {
    let observer = |key: &str| format!("{OBSERVER}{key}}}\n");
    let in_fleet = |key: &str| format!("1s}}}}, {key}}}");
    for (piece, by, behind, least) in [
        ("", String::new(), observer("poll: 0s"), "at least `10ms`"),
        (
            "{kind: pretend}",
            "{kind: pretend, election_timeout: 0s}".into(),
            String::new(),
            "at least `100ms`",
        ),
        ("{kind: pretend}", "{kind: pretend, shards: 0}".into(), String::new(), "at least `1`"),
        ("{kind: pretend}", "{kind: pretend, shards: 300}".into(), String::new(), "at most `256`"),
        (
            "{kind: pretend}",
            "{kind: pretend, shards: 70000}".into(),
            String::new(),
            "`70000` is out of range: at most `256`",
        ),
        ("  fleets:", "  probe: {every: 0s}\n  fleets:".into(), String::new(), "at least `1ms`"),
        ("  fleets:", "  probe: {every: 1ns}\n  fleets:".into(), String::new(), "at least `1ms`"),
        ("  fleets:", "  deadline: 0s\n  fleets:".into(), String::new(), "at least `1ms`"),
        ("every: 1s", "every: 999us".into(), String::new(), "at least `1ms`"),
        ("every: 1s", "every: 25h".into(), String::new(), "at most `1d`"),
        ("1s}}}", in_fleet("connection: {request_timeout: 0s}"), String::new(), "at least `1ms`"),
        ("1s}}}", in_fleet("connection: {connect_timeout: 0s}"), String::new(), "at least `1ms`"),
        ("1s}}}", in_fleet("connection: {backoff: {base: 0s}}"), String::new(), "at least `1ms`"),
        ("1s}}}", in_fleet("recorder: {capacity: 0B}"), String::new(), "at least `64B`"),
        ("1s}}}", in_fleet("recorder: {replay: {rate: 0x}}"), String::new(), "at least `0.01x`"),
        ("for: 20s", "for: 0s".into(), String::new(), "at least `1ms`"),
        ("for: 20s", "for: 8d".into(), String::new(), "at most `7d`"),
        ("max: 30s", "max: 0s".into(), String::new(), "at least `1ms`"),
        (
            "  services",
            "  links: {a ~ b: {delay: 2h}}\n  services".into(),
            String::new(),
            "at most `1h`",
        ),
    ] {
        refused(piece, &by, &behind, &[least]);
    }
}

#[test]
fn gates_and_faults_that_mean_nothing_are_refused_with_what_they_may_be() {
    for (behind, words) in [
        ("gates: [rto: {max: 10s, of_assets: 0%}]", "at least `0.01%`"),
        ("gates: [delivered: 0%]", "at least `0.01%`"),
        ("gates: [goodput: 0 x baseline]", "at least `0.01 x baseline`"),
        ("gates: [goodput: 1.5 x baseline]", "at most `1 x baseline`"),
        ("gates: [latency.ack.p99: 0s]", "at least `1us`"),
        ("gates: [latency.ack.p99: {max: 1s, clock: 0s}]", "at least `1s`"),
        ("gates: [latency.ack.p99: {max: 1s, clock: 1500ms}]", "whole multiples of `1s`"),
        ("gates: [outage.longest: 2h]", "cannot fail"),
        ("faults: [{at: outage, for: 0s, kill: {region: a}}]", "at least `1ms`"),
        ("faults: [{at: outage, partition: {isolate: {region: a}, ports: [0]}}]", "at least `1`"),
        ("faults: [{at: outage, partition: {isolate: {region: a}, ports: []}}]", "an empty list"),
        (
            "faults: [{at: outage, degrade: {around: {region: a}, delay: 2h, loss: 1%}}]",
            "at most `1h`",
        ),
    ] {
        refused("", "", behind, &[words]);
    }
}

/// The servers would refuse these when they start, and the lab would wait for them.
#[test]
fn what_the_reference_servers_refuse_is_refused() {
    for (key, words) in [
        ("shards: 0", "at least `1`"),
        ("shards: 300", "at most `256`"),
        ("heartbeat: 0s", "at least `10ms`"),
        ("heartbeat: 61s", "at most `1m`"),
        ("heartbeat: 10500us", "whole multiples of `1ms`"),
        ("election_timeout: 0s", "at least `20ms`"),
        ("election_timeout: 500ms", "less than twice the `heartbeat`"),
        ("keep: 0B", "at least `1MiB`"),
        ("planted: {dead_shard: {shard: 12, after: 1s}}", "shard 12 of 12"),
        ("planted: {lost_ack: {one_in: 0}}", "at least `1`"),
        ("planted: {stall: {for: 1s, every: 0s}}", "at least `1ms`"),
    ] {
        let by = format!("{{kind: reference, {key}}}");
        let text = crate::DRILL.replace("  lab: pretend\n", "").replace("{kind: pretend}", &by);
        let told = mistakes(&text).join("\n");
        assert!(told.contains(words), "{key}: {told}");
    }
}

#[test]
fn a_recorder_holds_a_reading() {
    let fleet = "1s, payload: 3000B}}, recorder: {capacity: 2KiB}}";
    refused("1s}}}", fleet, "", &["`2KiB` do not hold one reading of 3000 B", "at least `3000B`"]);
}

/// Everything that is a number, with or without a unit.
fn figures(root: &Node) -> Vec<(&Node, &str)> {
    let unit = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let figure = |node: &'_ Node| -> Option<usize> {
        let text = node.text()?;
        let unit = unit(text);
        let known = [
            "", "ns", "us", "ms", "s", "m", "h", "d", "%", "x", "B", "KiB", "MiB", "kbit", "Mbit",
            "Gbit", "/s",
        ];
        (unit < text.len() && known.contains(&&text[text.len() - unit..])).then_some(unit)
    };
    let found = root.all().filter_map(|node| Some((node, figure(node)?)));
    found
        .map(|(node, unit)| {
            (node, &node.text().expect("a scalar")[node.text().expect("a scalar").len() - unit..])
        })
        .collect()
}

/// What a figure may be spoilt to: nothing, the least, and more than anybody has.
fn spoilt(unit: &str) -> Vec<String> {
    let times = ["ns", "us", "ms", "s", "m", "h", "d"].contains(&unit);
    let least = if times { "1ns".to_owned() } else { format!("0.000001{unit}") };
    let zeros = format!("1{}{unit}", "0".repeat(300));
    [
        format!("0{unit}"),
        least,
        format!("99999999999{unit}"),
        format!("18446744073709551616{unit}"),
        zeros,
    ]
    .into()
}

/// No figure of a scenario takes the reader down, and what is said of it stays short.
#[test]
fn every_figure_of_every_scenario_may_be_absurd() {
    let catalogs = catalogs();
    let (mut tried, mut refused) = (0, 0);
    for path in kit::shipped() {
        let file = path.display().to_string();
        let root = read(&std::fs::read_to_string(&path).expect("readable"));
        for (node, unit) in figures(&root) {
            for text in spoilt(unit) {
                let change = |node: &mut Node| {
                    node.kind = Kind::Scalar { text: text.clone(), quoted: false }
                };
                let changed = write(&with(&root, node.id, &change));
                tried += 1;
                if let Err(mistakes) = plan::load(&changed, &file, &catalogs) {
                    refused += 1;
                    let longest = mistakes.list().iter().map(|one| one.message.len()).max();
                    assert!(longest < Some(400), "{text}: {:?}", mistakes.list());
                }
            }
        }
    }
    assert!(tried > 500 && refused * 3 > tried, "{refused} of {tried} refused");
}

/// The same for the example of every kind.
#[test]
fn every_figure_of_every_kind_may_be_absurd() {
    for family in catalogs().families() {
        for kind in &family.kinds {
            let root = read(kind.example).without(&["kind"]);
            for (node, unit) in figures(&root) {
                for text in spoilt(unit) {
                    let change = |node: &mut Node| {
                        node.kind = Kind::Scalar { text: text.clone(), quoted: false }
                    };
                    let changed = write(&with(&root, node.id, &change));
                    let mut problems = vec![];
                    let node = parse(&changed, SourceId(0), &mut Ids::default(), &mut problems);
                    let read = node.and_then(|node| (kind.read)(&node, &mut problems));
                    let huge = text.len() > 20;
                    assert!(
                        !(huge && read.is_some() && problems.is_empty()),
                        "{}: {text}",
                        kind.name
                    );
                }
            }
        }
    }
}
