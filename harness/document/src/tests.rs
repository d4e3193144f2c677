use std::collections::BTreeMap;

use serde::Deserialize;

use super::{units::*, *};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Thing {
    name: String,
    count: u32,
    #[serde(default)]
    wait: Option<Time>,
    #[serde(default)]
    how: How,
    #[serde(default)]
    loss: Option<Share>,
    #[serde(default)]
    inner: BTreeMap<String, Inner>,
    #[serde(default)]
    list: Vec<Time>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Inner {
    on_full: Sp<bool>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum How {
    #[default]
    Power,
    Network,
}

fn tree(text: &str) -> (Sources, Option<Node>, Problems) {
    let mut sources = Sources::default();
    let id = sources.add("t.yaml", text);
    let mut problems = vec![];
    let node = parse(text, id, &mut Ids::default(), &mut problems);
    (sources, node, problems)
}

/// `line:column code message -> meant` of every problem.
fn mistakes(text: &str) -> Vec<String> {
    let (sources, node, mut problems) = tree(text);
    if let Some(node) = node {
        let _: Option<Thing> = read_as(&node, &mut problems);
    }
    let line = |problem: &Problem| {
        let (line, column) = sources.position(problem.span);
        format!(
            "{line}:{column} {} {} -> {}",
            problem.code,
            problem.message,
            problem.meant().join(",")
        )
    };
    problems.iter().map(line).collect()
}

#[test]
fn a_good_document_is_read() {
    let (_, node, problems) = tree(
        "name: x\ncount: 3\nwait: 1.5s\nhow: network\ninner: {a: {on_full: true}}\nlist: [1s, 2ms]\n",
    );
    let mut more = vec![];
    let thing: Thing = read_as(&node.expect("a tree"), &mut more).expect("a thing");
    assert_eq!((problems, more), (vec![], vec![]));
    assert_eq!(thing.wait, Some(Time(std::time::Duration::from_millis(1500))));
    assert_eq!(thing.how, How::Network);
    assert_eq!(thing.inner["a"].on_full.span.range(), 62..66);
    assert_eq!(thing.list.len(), 2);
}

#[test]
fn many_mistakes_give_as_many_messages() {
    let text = "nmae: x\ncount: many\nwait: 30\nhow: netwrk\nloss: 120%\ninner:\n  a: {on_full: yes}\n  b: {onfull: true}\nlist: [1s, 2, 3min]\nfoo: 1\n";
    assert_eq!(
        mistakes(text),
        [
            "1:1 key unknown key `nmae` -> name",
            "2:8 type `many` where a whole number from 0 to 4294967295 belongs -> ",
            "3:7 unit `30` is a bare number where a unit belongs -> ",
            "4:6 name unknown name `netwrk` -> network",
            "5:7 range `120%` is out of range: a share is at most `100%` -> ",
            "7:16 trap `yes` is text to some readers of YAML and `true` to others -> ",
            "8:7 key unknown key `onfull` -> on_full",
            "9:12 unit `2` is a bare number where a unit belongs -> ",
            "9:15 unit `min` is no unit of a duration -> ",
            "10:1 key unknown key `foo` -> ",
        ]
    );
}

#[test]
fn what_only_follows_is_not_told_and_what_is_missing_is() {
    assert_eq!(mistakes("count: 1\n"), ["1:1 missing `name` is missing -> "]);
    assert_eq!(
        mistakes("name: no\ncount: 1\n"),
        ["1:7 trap `no` is text to some readers of YAML and `false` to others -> "]
    );
    assert_eq!(
        mistakes("name: x\ncount: 1\ninner: {a: {}}\n"),
        ["3:9 missing `on_full` is missing -> "]
    );
}

#[test]
fn duplicate_keys_tags_aliases_and_second_documents_are_refused() {
    assert_eq!(
        mistakes("name: x\ncount: 1\nname: y\n"),
        ["3:1 duplicate the key `name` stands twice in one mapping -> "]
    );
    assert_eq!(mistakes("name: !!str x\n")[0], "1:13 syntax a YAML tag -> ");
    assert_eq!(
        mistakes("name: &here x\ncount: *hree\n")[0],
        "2:9 name unknown anchor `hree` -> here"
    );
    assert_eq!(
        mistakes("name: x\n---\nname: y\n")[0],
        "2:1 syntax a second document in one file -> "
    );
    assert_eq!(mistakes("name: [x\n").len(), 1);
}

#[test]
fn an_alias_carries_its_value_and_both_places() {
    let (sources, _, _) = tree("name: &n x\ncount: *n\n");
    let text = &sources.file(SourceId(0)).text;
    let (_, node, mut problems) = tree(text);
    let _: Option<Thing> = read_as(&node.expect("a tree"), &mut problems);
    assert_eq!(sources.position(problems[0].span), (2, 8));
    assert_eq!(sources.position(problems[0].notes[0].0), (1, 10));
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let items = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb += &format!("a{i}: &a{i} [{items}]\n");
    }
    let (_, node, problems) = tree(&bomb);
    assert!(node.is_none());
    assert!(problems[0].message.starts_with("more than 50000 values"), "{problems:?}");
    let (_, node, problems) = tree(&("[".repeat(70) + &"]".repeat(70)));
    assert!(node.is_none() && problems.len() == 1, "{problems:?}");
}

#[test]
fn quantities_are_written_as_they_are_read() {
    for text in ["250ms", "1m", "90s", "1ns", "0s", "36h"] {
        assert_eq!(text.parse::<Time>().expect(text).to_string(), text);
    }
    for text in ["15/s", "1/30m"] {
        assert_eq!(text.parse::<Frequency>().expect(text).to_string(), text);
    }
    assert_eq!("64MiB".parse::<Size>().expect("a size"), Size(64 << 20));
    assert_eq!("0.01%".parse::<Share>().expect("a share"), Share(100));
    assert_eq!("0.8x".parse::<Times>().expect("a factor").to_string(), "0.8x");
    assert_eq!("1Gbit".parse::<Bits>().expect("a rate"), Bits(1_000_000_000));
    for text in ["30", "s", "-5s", "1.2.3s", "5 s", "1e3s", "99999999999999999999999d", "1.5ns", ""]
    {
        assert!(text.parse::<Time>().is_err(), "{text}");
    }
    assert!("0/s".parse::<Frequency>().is_err());
}
