use std::collections::BTreeMap;

use serde::Deserialize;

use super::{links::*, units::*, *};

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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways {
    #[serde(default)]
    jitter: Vec<Jitter>,
    #[serde(default)]
    loss: Vec<Loss>,
}

fn ways(text: &str) -> (Option<Ways>, Vec<String>) {
    let (sources, node, mut problems) = tree(text);
    let read = read_as(&node.expect("a tree"), &mut problems);
    let line = |problem: &Problem| {
        let (line, column) = sources.position(problem.span);
        format!("{line}:{column} {} {}", problem.code, problem.message)
    };
    (read, problems.iter().map(line).collect())
}

#[test]
fn jitter_and_loss_are_plain_or_a_mapping_and_written_as_they_are_read() {
    let (read, problems) = ways(
        "jitter: [5ms, {width: 2ms, shape: pareto_normal, correlation: 25%}, {width: 1ms}]\nloss: [2%, {p: 1%, r: 25%}, {p: 1%, r: 5%, bad: 80%, good: 0.1%}]\n",
    );
    assert_eq!(problems, Vec::<String>::new());
    let Ways { jitter, loss } = read.expect("read without a problem");
    let written = serde_json::json!({"jitter": jitter, "loss": loss});
    let expected = serde_json::json!({
        "jitter": ["5ms", {"width": "2ms", "shape": "pareto_normal", "correlation": "25%"}, {"width": "1ms", "shape": "uniform", "correlation": "0%"}],
        "loss": ["2%", {"p": "1%", "r": "25%", "bad": "100%", "good": "0%"}, {"p": "1%", "r": "5%", "bad": "80%", "good": "0.1%"}],
    });
    assert_eq!(written, expected);
    let again: Ways = serde_json::from_value(written).expect("what was written is read");
    assert_eq!((again.jitter, again.loss), (jitter, loss));
}

#[test]
fn mistakes_in_jitter_and_loss_are_told_where_they_stand() {
    let text = "jitter: [5, {width: 5ms, shape: pareta}, {shape: normal}, [1ms], 5m/s]\nloss: [2, {p: 1%}, {p: 1%, r: 0%}, {p: 1%, r: 1%, q: 1%}, {p: 1, r: 101%}, lots]\n";
    let (_, problems) = ways(text);
    assert_eq!(
        problems,
        [
            "1:10 unit `5` is a bare number where a unit belongs",
            "1:33 name unknown name `pareta`",
            "1:42 missing `width` is missing",
            "1:59 type a list where a duration such as `5ms`, or `{width: 5ms, shape: normal, correlation: 25%}` belongs",
            "1:66 unit `m/s` is no unit of a duration",
            "2:8 unit `2` is a bare number where a unit belongs",
            "2:11 missing `r` is missing",
            "2:31 range `0%` is out of range: a burst that never ends",
            "2:51 key unknown key `q`",
            "2:63 unit `1` is a bare number where a unit belongs",
            "2:69 range `101%` is out of range: a share is at most `100%`",
            "2:76 range `lots` is not a share",
        ]
    );
}

#[test]
fn a_way_becomes_the_quality_that_it_asks_for() {
    assert_eq!(Way::default().quality(), model::LinkQuality::default());
    let never = Bursts { p: Share(0), r: Share(1), bad: Share(1_000_000), good: Share(0) };
    assert_eq!(
        Way { loss: Loss::Bursts(never), ..Way::default() }.quality(),
        model::LinkQuality::default()
    );
    let shaped = Shaped {
        width: Time(std::time::Duration::from_millis(5)),
        shape: Shape::Pareto,
        correlation: Share(250_000),
    };
    let bursts = Bursts { p: Share(1), r: Share(2), bad: Share(3), good: Share(4) };
    let way = Way {
        jitter: Jitter::Shaped(shaped),
        loss: Loss::Bursts(bursts),
        mtu: Some(Size(1400)),
        ..Way::default()
    };
    let chance = model::Chance;
    let expected = model::LinkQuality {
        jitter: vec![model::Jitter {
            width: shaped.width.0,
            shape: model::Shape::Pareto,
            correlation: chance(250_000),
        }],
        bursts: vec![model::Bursts {
            enter: chance(1),
            leave: chance(2),
            bad: chance(3),
            good: chance(4),
        }],
        mtu: Some(1400),
        ..Default::default()
    };
    assert_eq!(way.quality(), expected);
}

#[test]
fn what_a_way_cannot_mean_is_told_by_its_key() {
    let keys = |way: Way| way.mistakes().iter().map(|mistake| mistake.key).collect::<Vec<_>>();
    let ms = |ms| Time(std::time::Duration::from_millis(ms));
    assert_eq!(
        keys(Way {
            delay: ms(2),
            jitter: Jitter::Width(ms(2)),
            reorder: Share(1),
            ..Way::default()
        }),
        Vec::<&str>::new()
    );
    assert_eq!(
        keys(Way { jitter: Jitter::Width(ms(2)), reorder: Share(1), ..Way::default() }),
        ["jitter", "reorder"]
    );
    let normal =
        Jitter::Shaped(Shaped { width: ms(2), shape: Shape::Normal, correlation: Share(0) });
    assert_eq!(
        keys(Way { delay: ms(1), jitter: normal, queue: Some(Size(1)), ..Way::default() }),
        ["queue"]
    );
    for (size, expected) in [(551, &["mtu"][..]), (552, &[]), (1_499, &[]), (1_500, &["mtu"])] {
        assert_eq!(keys(Way { mtu: Some(Size(size)), ..Way::default() }), expected, "{size}");
    }
    let on_top = |delayed, limited| {
        let way = Way {
            jitter: Jitter::Width(ms(2)),
            reorder: Share(1),
            queue: Some(Size(1)),
            mtu: Some(Size(1)),
            ..Way::default()
        };
        way.mistakes_on_top(delayed, limited).iter().map(|mistake| mistake.key).collect::<Vec<_>>()
    };
    assert_eq!(on_top(false, false), ["reorder", "queue", "mtu"]);
    assert_eq!(
        (on_top(true, false), on_top(false, true)),
        (vec!["queue", "mtu"], vec!["reorder", "mtu"])
    );
}
