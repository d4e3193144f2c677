//! After any sequence of worlds a lab equals a fresh lab given the last one.

use std::time::Duration;

use model::{
    BitRate, Bursts, Chance, ClockCondition, Conditions, Cut, CutForm, DiskCondition, End, Jitter,
    Link, LinkCondition, LinkQuality, NodeCondition, NodeId, NodeState, Ports, ProcessState, Shape,
};
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use wetdress_pretend::{Change, Place};

type Reconcile = fn(&mut Place, &Conditions) -> Change;

/// Looks for a sequence of worlds after which it matters where one came from; the smallest found is the error. A place is compared with
/// all that it does: what it is, and what it does on the way to any next world.
fn path_independent(reconcile: Reconcile, mut runner: TestRunner) -> Result<(), String> {
    let held = runner.run(&(vec(world(), 1..5), world()), |(path, next)| {
        let last = path.last().expect("at least one world");
        let (mut travelled, mut fresh) = (Place::default(), Place::default());
        path.iter().for_each(|world| drop(reconcile(&mut travelled, world)));
        reconcile(&mut fresh, last);
        prop_assert_eq!(&travelled, &fresh);
        prop_assert_eq!(reconcile(&mut travelled, &next), reconcile(&mut fresh, &next));
        Ok(())
    });
    match held {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, worlds)) => Err(format!("{why}: {worlds:?}")),
        Err(TestError::Abort(why)) => panic!("no worlds to try: {why}"),
    }
}

#[test]
fn where_a_lab_came_from_does_not_matter() {
    let runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    path_independent(Place::reconcile, runner).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_lab_that_keeps_something_is_noticed() {
    let broken: [(&str, Reconcile); 3] = [
        ("worlds add up", |place, world| {
            let mut all = inverse(place);
            all = all.and(world);
            place.reconcile(&all)
        }),
        ("a machine that is not named stays as it was", |place, world| {
            let mut kept = inverse(place);
            kept.links.clear();
            kept.nodes.extend(world.nodes.clone());
            kept.links.extend(world.links.clone());
            place.reconcile(&kept)
        }),
        ("a link that is not named stays as it was", |place, world| {
            let mut kept = inverse(place);
            kept.nodes = world.nodes.clone();
            kept.links.extend(world.links.clone());
            place.reconcile(&kept)
        }),
    ];
    for (name, reconcile) in broken {
        assert!(
            path_independent(reconcile, TestRunner::deterministic()).is_err(),
            "went unnoticed: {name}"
        );
    }
}

/// The world that a place is in.
fn inverse(place: &Place) -> Conditions {
    let nodes =
        names().filter_map(|name| Some((name.clone(), place.condition(&name)?.clone()))).collect();
    let ends = || names().map(End::Node);
    let links = ends().flat_map(|from| ends().map(move |to| Link::new(from.clone(), to)));
    let links = links.filter_map(|link| Some((link.clone(), place.way(&link)?.clone()))).collect();
    Conditions { links, nodes, ..Conditions::default() }
}

fn names() -> impl Iterator<Item = NodeId> {
    ["a", "b"].into_iter().map(NodeId::from)
}

fn world() -> impl Strategy<Value = Conditions> {
    use NodeState::{Crashed, Frozen, PowerLost, Stopped, Up};
    let node = prop_oneof![Just(NodeId::from("a")), Just("b".into())];
    let end = node.clone().prop_map(End::Node);
    let link = (end.clone(), end).prop_map(|(from, to)| Link::new(from, to));
    let state = prop_oneof![Just(Up), Just(Stopped), Just(Frozen), Just(Crashed), Just(PowerLost)];
    let form = prop_oneof![Just(CutForm::Drop), Just(CutForm::Reject), Just(CutForm::Jam)];
    let cut = (form, any::<bool>()).prop_map(|(form, all)| Cut {
        ports: if all { Ports::All } else { Ports::Only([1].into()) },
        form,
    });
    let condition = (btree_set(cut, 0..2), quality())
        .prop_map(|(cuts, quality)| LinkCondition { cuts, quality });
    let process = prop_oneof![
        Just(ProcessState::Up),
        Just(ProcessState::Stopped),
        Just(ProcessState::Terminated),
        Just(ProcessState::Crashed)
    ];
    let processes =
        btree_map(prop_oneof![Just("p".to_owned()), Just("q".to_owned())], process, 0..3);
    let machine = (state, processes, any::<bool>(), 0i64..2).prop_map(
        |(state, processes, full, offset_us)| NodeCondition {
            state,
            processes,
            disk: DiskCondition { full, ..DiskCondition::default() },
            clock: ClockCondition { offset_us, rate_ppm: 0 },
        },
    );
    (btree_map(link, condition, 0..3), btree_map(node, machine, 0..3))
        .prop_map(|(links, nodes)| Conditions { links, nodes, ..Conditions::default() })
}

fn quality() -> impl Strategy<Value = LinkQuality> {
    let chances = || (0usize..2).prop_map(|count| vec![Chance(1); count]);
    let listed = (chances(), chances(), chances(), chances(), any::<bool>(), any::<bool>());
    let limits = (option::of(1u64..3), option::of(1u64..3), option::of(68u32..70));
    (0u64..3, listed, limits).prop_map(
        |(delay, (loss, duplicate, corrupt, reorder, jitter, bursts), (rate, queue, mtu))| {
            LinkQuality {
                delay: Duration::from_millis(delay),
                jitter: vec![
                    Jitter {
                        width: Duration::from_millis(1),
                        shape: Shape::Normal,
                        correlation: Chance(1)
                    };
                    usize::from(jitter)
                ],
                loss,
                bursts: vec![
                    Bursts {
                        enter: Chance(1),
                        leave: Chance(1),
                        bad: Chance::ALWAYS,
                        good: Chance(0)
                    };
                    usize::from(bursts)
                ],
                duplicate,
                corrupt,
                reorder,
                rate: rate.map(BitRate),
                queue,
                mtu,
            }
        },
    )
}
