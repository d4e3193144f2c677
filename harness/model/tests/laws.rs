//! The laws of `Conditions::and`: commutative, associative, identity. Each law is a function over *an* `and`, so that the tests can
//! also show that it notices a broken one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use wetdress_model::{BitRate, Chance, Conditions, CutForm, End, Lever, Link, LinkCondition, NodeId, NodeState, Ports};

type And = fn(Conditions, &Conditions) -> Conditions;
type Law = fn(And, [&Conditions; 3]) -> bool;

const LAWS: [(&str, Law); 3] = [("commutative", commutative), ("associative", associative), ("identity", identity)];

fn commutative(and: And, [a, b, _]: [&Conditions; 3]) -> bool {
    and(a.clone(), b) == and(b.clone(), a)
}

fn associative(and: And, [a, b, c]: [&Conditions; 3]) -> bool {
    and(and(a.clone(), b), c) == and(a.clone(), &and(b.clone(), c))
}

fn identity(and: And, [a, _, _]: [&Conditions; 3]) -> bool {
    let none = Conditions::default();
    and(a.clone(), &none) == *a && and(none, a) == *a
}

/// Looks for three worlds that break the law; the smallest found is the error.
fn hold(law: Law, and: And, mut runner: TestRunner) -> Result<(), String> {
    let worlds = (world(), world(), world());
    match runner.run(&worlds, |(a, b, c)| if law(and, [&a, &b, &c]) { Ok(()) } else { Err(TestCaseError::fail("broken")) }) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, worlds)) => Err(format!("{worlds:?}")),
        Err(TestError::Abort(why)) => panic!("no worlds to try: {why}"),
    }
}

/// Other worlds at each run.
fn fresh() -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::default() })
}

#[test]
fn and_is_commutative_associative_and_has_an_identity() {
    for (name, law) in LAWS {
        hold(law, Conditions::and, fresh()).unwrap_or_else(|worlds| panic!("`and` is not {name}: {worlds}"));
    }
}

/// Every way to break `and` that a field of a world invites, with the law that must notice.
#[test]
fn a_broken_and_is_noticed() {
    let broken: [(&str, And, Law); 7] = [
        ("the later delay wins", later_delay, commutative),
        ("losses stay in the order of arrival", unsorted_losses, commutative),
        ("the later state of a node wins", later_state, commutative),
        ("the later form of a cut wins", later_form, commutative),
        ("two rates give their mean", mean_rate, associative),
        ("no limit is a rate of zero", no_limit_is_zero, identity),
        ("two jitters cancel out", cancelled_jitter, associative),
    ];
    for (name, and, law) in broken {
        assert!(hold(law, and, TestRunner::deterministic()).is_err(), "went unnoticed: {name}");
    }
}

/// What one world asks of the links, both together ask for; only a reject yields, to a drop on the same ports.
#[test]
fn together_they_pull_every_lever_of_each() {
    let pulls =
        |a: &Conditions| a.links.values().flat_map(LinkCondition::levers).filter(|lever| *lever != Lever::Reject).collect::<BTreeSet<_>>();
    let held = fresh().run(&(world(), world()), |(a, b)| {
        prop_assert_eq!(pulls(&a.clone().and(&b)), &pulls(&a) | &pulls(&b));
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// `and`, with each link that both worlds touch then changed by `change(mine, theirs, result)`.
fn links_changed(a: Conditions, b: &Conditions, change: fn(&LinkCondition, &LinkCondition, &mut LinkCondition)) -> Conditions {
    let mut both = a.clone().and(b);
    for (link, result) in &mut both.links {
        if let (Some(mine), Some(theirs)) = (a.links.get(link), b.links.get(link)) {
            change(mine, theirs, result);
        }
    }
    both
}

fn later_delay(a: Conditions, b: &Conditions) -> Conditions {
    links_changed(a, b, |_, theirs, result| result.delay = theirs.delay)
}

fn unsorted_losses(a: Conditions, b: &Conditions) -> Conditions {
    links_changed(a, b, |mine, theirs, result| result.loss = [mine.loss.as_slice(), &theirs.loss].concat())
}

fn later_state(a: Conditions, b: &Conditions) -> Conditions {
    let mut both = a.and(b);
    both.nodes.extend(b.nodes.clone());
    both
}

fn later_form(a: Conditions, b: &Conditions) -> Conditions {
    links_changed(a, b, |_, theirs, result| result.cuts.extend(theirs.cuts.clone()))
}

fn mean_rate(a: Conditions, b: &Conditions) -> Conditions {
    links_changed(a, b, |mine, theirs, result| {
        if let (Some(mine), Some(theirs)) = (mine.rate, theirs.rate) {
            result.rate = Some(BitRate((mine.0 + theirs.0) / 2));
        }
    })
}

fn no_limit_is_zero(a: Conditions, b: &Conditions) -> Conditions {
    let mut both = a.and(b);
    both.links.values_mut().for_each(|link| link.rate = Some(link.rate.unwrap_or(BitRate(0))));
    both
}

fn cancelled_jitter(a: Conditions, b: &Conditions) -> Conditions {
    links_changed(a, b, |mine, theirs, result| result.jitter = mine.jitter.abs_diff(theirs.jitter))
}

/// Few names, so that worlds touch the same places often.
fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![Just("a".into()), Just("b".into())]
}

fn link() -> impl Strategy<Value = Link> {
    node().prop_map(|node| Link::new(End::Node(node), End::Cell("assets".into())))
}

fn ports() -> impl Strategy<Value = Ports> {
    prop_oneof![Just(Ports::All), btree_set(1u16..4, 1..3).prop_map(Ports::Only)]
}

fn condition() -> impl Strategy<Value = LinkCondition> {
    let form = prop_oneof![Just(CutForm::Reject), Just(CutForm::Drop)];
    let cuts: BoxedStrategy<BTreeMap<_, _>> = btree_map(ports(), form, 0..3).boxed();
    (cuts, 0u64..5, 0u64..5, vec(0u32..=1_000_000, 0..3), option::of(1u64..1000)).prop_map(|(cuts, delay, jitter, mut loss, rate)| {
        loss.sort_unstable();
        LinkCondition {
            cuts,
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(jitter),
            loss: loss.into_iter().map(Chance).collect(),
            rate: rate.map(BitRate),
        }
    })
}

fn state() -> impl Strategy<Value = NodeState> {
    use NodeState::{Crashed, Frozen, PowerLost, Stopped, Terminated, Up};
    prop_oneof![Just(Up), Just(Stopped), Just(Frozen), Just(Terminated), Just(Crashed), Just(PowerLost)]
}

fn world() -> impl Strategy<Value = Conditions> {
    (btree_map(link(), condition(), 0..4), btree_map(node(), state(), 0..3)).prop_map(|(links, nodes)| Conditions { links, nodes })
}
