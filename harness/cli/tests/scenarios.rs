//! The shipped scenarios, read with every kind of this build: all load, and a slip of the pen in any word of theirs is
//! refused where it stands, with the word that was meant.

#[path = "../src/catalogs.rs"]
#[allow(dead_code, reason = "the binary's own list of kinds, of which this test needs a part")]
mod catalogs;
#[path = "../src/labs.rs"]
#[allow(dead_code, reason = "the binary's own list of labs, of which this test needs a part")]
mod labs;

use std::{fs, path::PathBuf};

use document::{Ids, Node, Sources, Span, parse};
use kit::{scenarios, shipped};

/// Mappings whose keys are names that a scenario declares itself, or that a server reads and not we.
const DECLARING: &[&str] = &["regions", "services", "fleets", "streams", "settings"];
/// Values that are free text, or declare a name.
const FREE: &[&str] = &["scenario", "summary", "id", "name", "program", "user"];

#[test]
fn every_shipped_scenario_loads_without_a_warning_and_its_gates_can_be_decided() {
    let catalogs = catalogs::catalogs();
    let files = shipped();
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).expect("readable");
        let plan = plan::load(&text, &path.display().to_string(), &catalogs)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let description = plan::describe(&plan, &catalogs);
        let undecidable: Vec<_> = description.gates.iter().filter(|gate| !gate.decidable).collect();
        assert!(undecidable.is_empty(), "{}: {undecidable:?}", path.display());
        // What we ship is what people begin with: a remark about it is one that nobody can act on.
        assert!(description.warnings.is_empty(), "{}: {:?}", path.display(), description.warnings);
        let mut reaches = description.faults.iter().map(|fault| fault.reach.as_ref());
        let hits_anybody = reaches
            .all(|reach| reach.is_some_and(|reach| reach.nodes_hit > 0 || reach.assets_hit > 0));
        assert!(hits_anybody, "{}", path.display());
    }
}

/// Files of `links` are no scenarios: they are included by one, and give it its regions with a way between every two.
#[test]
fn every_file_of_links_makes_a_scenario_of_a_few_lines() {
    let catalogs = catalogs::catalogs();
    let files: Vec<PathBuf> = fs::read_dir(scenarios().join("links"))
        .expect("part of the project")
        .map(|entry| entry.expect("readable").path())
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    for path in files {
        let name = path.file_name().expect("files have names").to_string_lossy();
        let text = format!(
            "scenario: distances\ninclude: [../links/{name}]\nstack: {{services: {{store: {{kind: reference}}}}}}\n\
             traffic: {{fleets: {{terminals: {{assets: 60, streams: {{status: {{every: 1s}}}}}}}}}}\n"
        );
        let file = scenarios().join("drills/distances.yaml");
        let plan = plan::load(&text, &file.display().to_string(), &catalogs)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let regions = plan.topology.regions.len();
        assert_eq!(plan.topology.wan.len(), regions * (regions - 1));
        assert!(
            regions >= 3 && plan.topology.wan.values().all(|way| way.delay.as_millis() >= 10),
            "{name}: {:?}",
            plan.topology.wan
        );
        assert!(
            fs::read_to_string(&path).expect("readable").contains("Source:"),
            "{name} does not say where its numbers are from"
        );
    }
}

#[test]
fn every_wrong_scenario_is_wrong_with_the_real_kinds_too() {
    let catalogs = catalogs::catalogs();
    for entry in fs::read_dir(scenarios().join("wrong")).expect("part of the project") {
        let path = entry.expect("readable").path();
        let text = fs::read_to_string(&path).expect("readable");
        assert!(
            plan::load(&text, &path.display().to_string(), &catalogs).is_err(),
            "{}",
            path.display()
        );
    }
}

/// What a kind objects to is shown at the parameter at fault, however deep it stands.
#[test]
fn an_objection_of_a_fault_points_at_its_parameter() {
    let catalogs = catalogs::catalogs();
    let mistake = |fault: &str| {
        let text = format!(
            "scenario: objections\nstack: {{regions: {{us-west: {{}}, us-east: {{}}}}, services: {{store: {{kind: reference}}}}}}\n\
             traffic: {{fleets: {{terminals: {{assets: 60, streams: {{status: {{every: 1s}}}}}}}}}}\nfaults:\n- {{at: fault, {fault}}}\n"
        );
        let mistakes = plan::load(&text, "text", &catalogs).expect_err("the fault is refused");
        let [mistake] = &mistakes.list()[..] else { panic!("{mistakes}") };
        let at = text.lines().nth(mistake.line as usize - 1).expect("a line of the text");
        let from_there = at[mistake.column as usize - 1..].to_owned();
        (from_there, mistake.message.clone(), mistake.help.clone().unwrap_or_default())
    };
    for (fault, place, message, help) in [
        (
            "partition: {between: [{region: us-west}, {of: store/s0}]}",
            "store/s0}]}}",
            "a shard has no nodes of its own",
            "Say which `role` in it is meant",
        ),
        (
            "degrade: {between: [{region: us-west}, {region: us-east}], from: peers, loss: 1%}",
            "peers, loss: 1%}}",
            "`between` names both sides",
            "Leave `from` out",
        ),
        (
            "degrade: {around: {service: store}}",
            "degrade: {around: {service: store}}}",
            "nothing is degraded",
            "Ask for `delay`, `jitter`, `loss`, `rate` or another of its parameters",
        ),
        (
            "degrade: {around: {service: store}, queue: 64KiB}",
            "64KiB}}",
            "`queue` without a `rate` holds nothing",
            "Packets queue for the rate; add `rate: 10Mbit`, or leave `queue` out",
        ),
    ] {
        let expected = (place.to_owned(), message.to_owned(), help.to_owned());
        assert_eq!(mistake(fault), expected, "{fault}");
    }
}

#[test]
fn a_slip_in_any_word_is_refused_where_it_stands_and_the_word_is_suggested() {
    let catalogs = catalogs::catalogs();
    let (mut edits, mut suggested, mut lost, mut astray) = (0, 0, vec![], vec![]);
    for path in shipped() {
        let file = path.display().to_string();
        let text = fs::read_to_string(&path).expect("readable");
        for word in words(&text) {
            for (how, slip) in slips(&word.text) {
                let range = word.span.range();
                let edited = [&text[..range.start], &slip, &text[range.end..]].concat();
                let (line, column) = place(&text, range.start);
                let at = format!("{file}:{line}:{column}: `{}` {how} as `{slip}`", word.text);
                let mistakes = plan::load(&edited, &file, &catalogs)
                    .err()
                    .map(|mistakes| mistakes.list())
                    .unwrap_or_default();
                let here: Vec<_> = mistakes
                    .iter()
                    .filter(|mistake| (mistake.line, mistake.column) == (line, column))
                    .collect();
                if here.is_empty() {
                    astray.push(format!("{at}: {:?}", mistakes.first()));
                }
                edits += 1;
                match here.iter().any(|mistake| mistake.meant.contains(&word.text)) {
                    true => suggested += 1,
                    false => lost.push(at),
                }
            }
        }
    }
    assert!(edits > 1000, "{edits} edits");
    assert!(astray.is_empty(), "accepted, or told elsewhere:\n{}", astray.join("\n"));
    assert!(
        suggested * 100 >= edits * 98,
        "{suggested} of {edits} suggested; not:\n{}",
        lost.join("\n")
    );
}

#[test]
fn a_slip_in_a_declared_region_is_told_where_the_region_is_used() {
    let catalogs = catalogs::catalogs();
    for path in shipped() {
        let text = fs::read_to_string(&path).expect("readable");
        let root = tree(&text);
        // A scenario that includes its links has its regions from there.
        let Some(regions) = root.at("stack").and_then(|stack| stack.at("regions")) else {
            continue;
        };
        for entry in regions.entries() {
            for (how, slip) in slips(&entry.key.text) {
                let range = entry.key.span.range();
                let edited = [&text[..range.start], &slip, &text[range.end..]].concat();
                let at =
                    format!("{}: region `{}` {how} as `{slip}`", path.display(), entry.key.text);
                let mistakes = plan::load(&edited, "edited.yaml", &catalogs).expect_err(&at).list();
                assert!(
                    mistakes.iter().any(|mistake| mistake.meant.contains(&slip)),
                    "{at}: {mistakes:?}"
                );
            }
        }
    }
}

struct Word {
    text: String,
    span: Span,
}

fn tree(text: &str) -> Node {
    let mut sources = Sources::default();
    let source = sources.add("scenario", text);
    parse(text, source, &mut Ids::default(), &mut vec![]).expect("shipped scenarios are YAML")
}

/// Every key, kind, choice and used name. Declared names and free text are not among them.
fn words(text: &str) -> Vec<Word> {
    let mut words = vec![];
    collect(&tree(text), "", &mut words);
    words
}

fn collect(node: &Node, under: &str, words: &mut Vec<Word>) {
    for entry in node.entries() {
        let key = &entry.key;
        match key.text.split_once(" ~ ") {
            Some((from, to)) => {
                let end = key.span.start + from.len() as u32;
                words.push(Word { text: from.into(), span: Span { end, ..key.span } });
                words.push(Word { text: to.into(), span: Span { start: end + 3, ..key.span } });
            }
            None if DECLARING.contains(&under) => {}
            None => words.push(Word { text: key.text.clone(), span: key.span }),
        }
        let is_word = entry.value.text().is_some_and(|text| {
            text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(' ')
        });
        if is_word
            && !FREE.contains(&key.text.as_str())
            && !matches!(entry.value.text(), Some("true" | "false"))
        {
            words.push(Word {
                text: entry.value.text().expect("it is a word").into(),
                span: entry.value.span,
            });
        }
        collect(&entry.value, &key.text, words);
    }
    node.items().iter().for_each(|item| collect(item, under, words));
}

/// One character deleted, replaced, inserted, and two transposed; the place depends on the word only.
fn slips(word: &str) -> Vec<(&'static str, String)> {
    let letters: Vec<char> = word.chars().collect();
    let at = word.bytes().map(usize::from).sum::<usize>() % letters.len();
    let joined = |parts: [&[char]; 3]| parts.concat().into_iter().collect::<String>();
    let mut slips = vec![
        ("with one replaced", joined([&letters[..at], &['q'], &letters[at + 1..]])),
        ("with one inserted", joined([&letters[..at], &['q'], &letters[at..]])),
    ];
    if letters.len() > 1 {
        slips.push(("with one deleted", joined([&letters[..at], &[], &letters[at + 1..]])));
        let first = at.min(letters.len() - 2);
        if letters[first] != letters[first + 1] {
            slips.push((
                "with two transposed",
                joined([
                    &letters[..first],
                    &[letters[first + 1], letters[first]],
                    &letters[first + 2..],
                ]),
            ));
        }
    }
    slips
}

/// Line and column, from 1.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let column = before.chars().rev().take_while(|c| *c != '\n').count() as u32 + 1;
    (before.matches('\n').count() as u32 + 1, column)
}

#[test]
fn a_lab_in_memory_and_real_systems_do_not_mix() {
    let catalogs = catalogs::catalogs();
    let text =
        |file: &str| fs::read_to_string(scenarios().join(file)).expect("part of the project");
    let mixed = [
        (
            text("drills/pretend-region-loss.yaml").replace("lab: pretend", "lab: local"),
            "Write `lab: pretend`",
        ),
        (text("first.yaml").replace("lab: local ", "lab: pretend "), "or write `lab: local`"),
    ];
    for (text, help) in mixed {
        let mistakes = plan::load(&text, "mixed.yaml", &catalogs).expect_err("it was taken");
        let found = mistakes
            .list()
            .into_iter()
            .find(|mistake| mistake.message.contains("does not live in the lab"));
        let found = found.unwrap_or_else(|| panic!("{}", mistakes.render(false)));
        assert!(found.help.as_deref().is_some_and(|said| said.contains(help)), "{found:?}");
        let line = text.lines().nth(found.line as usize - 1).expect("a line of the file");
        assert!(line.contains("kind: "), "it points at `{line}`");
    }
}
