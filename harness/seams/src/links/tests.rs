use document::{Ids, Node, Problem, Problems, Sources, parse, read_as, units::*};
use serde::Deserialize;

use super::*;

fn tree(text: &str) -> (Sources, Option<Node>, Problems) {
    let mut sources = Sources::default();
    let id = sources.add("t.yaml", text);
    let mut problems = vec![];
    let node = parse(text, id, &mut Ids::default(), &mut problems);
    (sources, node, problems)
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
    assert_eq!(Way::default().quality(), LinkQuality::default());
    let never = Bursts { p: Share(0), r: Share(1), bad: Share(1_000_000), good: Share(0) };
    assert_eq!(
        Way { loss: Loss::Bursts(never), ..Way::default() }.quality(),
        LinkQuality::default()
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
    let chance = Chance;
    let expected = LinkQuality {
        jitter: vec![model::Jitter {
            width: shaped.width.0,
            shape: Shape::Pareto,
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
