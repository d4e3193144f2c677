//! The laws of everything that combines: commutative, associative, identity. Each law is a function over *an* `and`, so that the tests
//! can also show that it notices a broken one.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};
use wetdress_model::{
    BitRate, Bursts, Chance, ClockCondition, Conditions, Cut, CutForm, DiskCondition, End,
    FleetCondition, FleetState, Jitter, Lever, Link, LinkCondition, LinkQuality, NodeCondition,
    NodeId, NodeState, Ports, ProcessState, Pulled, Severs, Shape, Slot, Track,
};

type And<T> = fn(&T, &T) -> T;
type Law<T> = fn(And<T>, [&T; 3]) -> bool;

fn laws<T: Default + PartialEq>() -> [(&'static str, Law<T>); 3] {
    [("commutative", commutative), ("associative", associative), ("with an identity", identity)]
}

fn commutative<T: PartialEq>(and: And<T>, [a, b, _]: [&T; 3]) -> bool {
    and(a, b) == and(b, a)
}

fn associative<T: PartialEq>(and: And<T>, [a, b, c]: [&T; 3]) -> bool {
    and(&and(a, b), c) == and(a, &and(b, c))
}

fn identity<T: Default + PartialEq>(and: And<T>, [a, _, _]: [&T; 3]) -> bool {
    let none = T::default();
    and(a, &none) == *a && and(&none, a) == *a
}

/// Looks for three values that break the law; the smallest found are the error.
fn hold<T: Debug>(
    law: Law<T>,
    and: And<T>,
    any: fn() -> BoxedStrategy<T>,
    mut runner: TestRunner,
) -> Result<(), String> {
    match runner.run(&(any(), any(), any()), |(a, b, c)| {
        if law(and, [&a, &b, &c]) { Ok(()) } else { Err(TestCaseError::fail("broken")) }
    }) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, found)) => Err(format!("{found:?}")),
        Err(TestError::Abort(why)) => panic!("nothing to try: {why}"),
    }
}

/// Other values at each run.
fn fresh() -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::default() })
}

fn every_law_holds<T: Debug + Default + PartialEq>(and: And<T>, any: fn() -> BoxedStrategy<T>) {
    for (name, law) in laws() {
        hold(law, and, any, fresh()).unwrap_or_else(|found| panic!("not {name}: {found}"));
    }
}

fn both(a: &Conditions, b: &Conditions) -> Conditions {
    a.clone().and(b)
}

#[test]
fn worlds_combine_by_the_laws() {
    every_law_holds(both, world);
}

#[test]
fn ways_behind_each_other_combine_by_the_laws() {
    every_law_holds(LinkQuality::then, quality);
}

#[test]
fn ways_that_change_by_the_clock_combine_by_the_laws() {
    every_law_holds(Track::then, track);
}

/// Every way to break `and` that a field of a world invites, with the law that must notice.
#[test]
fn a_broken_and_is_noticed() {
    let broken: [(&str, And<Conditions>, Law<Conditions>); 23] = [
        ("the later condition of a node wins", later_condition, commutative),
        (
            "the later state of a node wins",
            |a, b| on_nodes(a, b, |_, b, both| both.state = b.state),
            commutative,
        ),
        (
            "the later processes win",
            |a, b| on_nodes(a, b, |_, b, both| both.processes.clone_from(&b.processes)),
            commutative,
        ),
        (
            "the later disk wins",
            |a, b| on_nodes(a, b, |_, b, both| both.disk.clone_from(&b.disk)),
            commutative,
        ),
        (
            "disk errors stay in the order of arrival",
            |a, b| {
                on_nodes(a, b, |a, b, both| both.disk.error = joined(&a.disk.error, &b.disk.error))
            },
            commutative,
        ),
        (
            "a stalled disk is forgotten",
            |a, b| on_nodes(a, b, |_, _, both| both.disk.stalled = false),
            identity,
        ),
        (
            "the later clock wins",
            |a, b| on_nodes(a, b, |_, b, both| both.clock = b.clock),
            commutative,
        ),
        (
            "clocks do not go beyond the end of their range",
            |a, b| {
                on_nodes(a, b, |a, b, both| {
                    both.clock.offset_us = a.clock.offset_us.saturating_add(b.clock.offset_us);
                })
            },
            associative,
        ),
        ("the later fleets win", later_fleets, commutative),
        (
            "the later cuts win",
            |a, b| changed(a, b, |_, b, both| both.cuts = b.cuts.clone()),
            commutative,
        ),
        (
            "the later delay wins",
            |a, b| mixed(a, b, |_, b, both| both.delay = b.delay),
            commutative,
        ),
        (
            "losses stay in the order of arrival",
            |a, b| mixed(a, b, |a, b, both| both.loss = joined(&a.loss, &b.loss)),
            commutative,
        ),
        (
            "the later bursts win",
            |a, b| mixed(a, b, |_, b, both| both.bursts.clone_from(&b.bursts)),
            commutative,
        ),
        (
            "the later jitter wins",
            |a, b| mixed(a, b, |_, b, both| both.jitter.clone_from(&b.jitter)),
            commutative,
        ),
        (
            "jitters stay in the order of arrival",
            |a, b| mixed(a, b, |a, b, both| both.jitter = joined(&a.jitter, &b.jitter)),
            commutative,
        ),
        ("jitter is dropped", |a, b| everywhere(a, b, |both| both.jitter.clear()), identity),
        (
            "the later duplicates win",
            |a, b| mixed(a, b, |_, b, both| both.duplicate.clone_from(&b.duplicate)),
            commutative,
        ),
        ("corruption is dropped", |a, b| everywhere(a, b, |both| both.corrupt.clear()), identity),
        ("reordering is dropped", |a, b| everywhere(a, b, |both| both.reorder.clear()), identity),
        ("two rates give their mean", mean_rate, associative),
        (
            "no limit is a rate of zero",
            |a, b| everywhere(a, b, |both| both.rate = both.rate.or(Some(BitRate(0)))),
            identity,
        ),
        (
            "the earlier queue stays",
            |a, b| mixed(a, b, |a, b, both| both.queue = a.queue.or(b.queue)),
            commutative,
        ),
        ("the larger mtu wins, none being the largest", larger_mtu, identity),
    ];
    for (name, and, law) in broken {
        assert!(
            hold(law, and, world, TestRunner::deterministic()).is_err(),
            "went unnoticed: {name}"
        );
    }
}

/// What one world asks of the links, both together ask for, no more and no less. (Of two states of one node the worse one hides the other.)
#[test]
fn together_they_pull_every_lever_of_each() {
    let pulls = |world: &Conditions| {
        Conditions { links: world.links.clone(), ..Default::default() }.levers()
    };
    let held = fresh().run(&(world(), world()), |(a, b)| {
        prop_assert_eq!(pulls(&both(&a, &b)), &pulls(&a) | &pulls(&b));
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// Whatever its form, a cut of some ports is none of all: who does not need them is still served.
#[test]
fn a_cut_severs_what_it_means_and_no_more() {
    let held = fresh().run(&cut(), |cut| {
        let expected = match &cut.ports {
            Ports::All => Severs::Everything,
            Ports::Only(_) => Severs::SomePorts,
        };
        prop_assert_eq!(cut.lever().severs(), expected);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// However bad a link's quality is, packets of every port still get through.
#[test]
fn no_quality_severs_anything() {
    let held = fresh().run(&quality(), |quality| {
        let condition = LinkCondition { quality, ..Default::default() };
        prop_assert_eq!(condition.severs(), Severs::Nothing);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// A world that pulls one lever, on the link from node `a` to the cell `assets` or at one of its ends.
fn pulling(lever: Lever) -> Conditions {
    let cut = |ports, form| {
        let mut world = Conditions::default();
        world.cut(the_link(), ports, form);
        world
    };
    let suffers = |quality: LinkQuality| {
        let mut world = Conditions::default();
        *world.quality_mut(the_link()) = quality;
        world
    };
    let node = |condition: NodeCondition| Conditions {
        nodes: [("a".into(), condition)].into(),
        ..Conditions::default()
    };
    let disk = |disk| node(NodeCondition { disk, ..Default::default() });
    let clock = |clock| node(NodeCondition { clock, ..Default::default() });
    let fleet = |state| Conditions {
        fleets: [("assets".into(), FleetCondition { state })].into(),
        ..Conditions::default()
    };
    let (some, one, chance) =
        (|| Ports::Only([1].into()), Duration::from_millis(1), || vec![Chance(400_000)]);
    let jitter = Jitter { width: one, shape: Shape::Uniform, correlation: Chance(0) };
    let of = LinkQuality::default;
    match lever {
        Lever::Cut => cut(Ports::All, CutForm::Drop),
        Lever::CutPorts => cut(some(), CutForm::Drop),
        Lever::Reject => cut(Ports::All, CutForm::Reject),
        Lever::RejectPorts => cut(some(), CutForm::Reject),
        Lever::Jam => cut(Ports::All, CutForm::Jam),
        Lever::JamPorts => cut(some(), CutForm::Jam),
        Lever::Delay => suffers(LinkQuality { delay: one, ..of() }),
        Lever::Jitter => suffers(LinkQuality { jitter: vec![jitter], ..of() }),
        Lever::Loss => suffers(LinkQuality { loss: chance(), ..of() }),
        Lever::Duplicate => suffers(LinkQuality { duplicate: chance(), ..of() }),
        Lever::Corrupt => suffers(LinkQuality { corrupt: chance(), ..of() }),
        Lever::Reorder => suffers(LinkQuality { reorder: chance(), ..of() }),
        Lever::Rate => suffers(LinkQuality { rate: Some(BitRate(1)), ..of() }),
        Lever::Mtu => suffers(LinkQuality { mtu: Some(552), ..of() }),
        Lever::Stop => node(NodeState::Stopped.into()),
        Lever::Freeze => node(NodeState::Frozen.into()),
        Lever::Terminate => node(NodeState::Terminated.into()),
        Lever::Crash => node(NodeState::Crashed.into()),
        Lever::PowerLoss => node(NodeState::PowerLost.into()),
        Lever::DiskDelay => disk(DiskCondition { delay: one, ..Default::default() }),
        Lever::DiskError => disk(DiskCondition { error: chance(), ..Default::default() }),
        Lever::DiskFull => disk(DiskCondition { full: true, ..Default::default() }),
        Lever::DiskStall => disk(DiskCondition { stalled: true, ..Default::default() }),
        Lever::ClockOffset => clock(ClockCondition { offset_us: -1, rate_ppm: 0 }),
        Lever::ClockRate => clock(ClockCondition { offset_us: 0, rate_ppm: 1 }),
        Lever::Disconnect => fleet(FleetState::Disconnected),
        Lever::Silence => fleet(FleetState::Silent),
    }
}

fn the_link() -> Link {
    Link::new(End::Node("a".into()), End::Cell("assets".into()))
}

/// For every lever: the world that pulls it asks for it and for nothing else, where the lever says that it is pulled, and severs what
/// the lever says that it severs.
#[test]
fn every_lever_does_what_it_says() {
    for lever in Lever::ALL {
        let world = pulling(*lever);
        let levers: BTreeSet<Lever> = world.levers().into_iter().map(|(lever, _)| lever).collect();
        assert_eq!(levers, [*lever].into());
        assert_eq!(world.severs(&the_link()), lever.severs(), "{lever:?}");
        assert!(world.claims().iter().all(|claim| claim.severs() == lever.severs()), "{lever:?}");
        let Conditions { links, nodes, fleets } = &world;
        let pulled = match lever.pulled() {
            Pulled::OnLinks => (1, 0, 0),
            Pulled::OnNodes => (0, 1, 0),
            Pulled::ByFleets => (0, 0, 1),
        };
        assert_eq!((links.len(), nodes.len(), fleets.len()), pulled, "{lever:?}");
    }
    let all: BTreeSet<&Lever> = Lever::ALL.iter().collect();
    assert_eq!(all.len(), Lever::ALL.len(), "each once");
}

/// A node of several processes still serves with the others: the path to it is not gone.
#[test]
fn one_process_is_not_the_whole_node() {
    for state in [ProcessState::Stopped, ProcessState::Terminated, ProcessState::Crashed] {
        let condition =
            NodeCondition { processes: [("p".into(), state)].into(), ..Default::default() };
        let world = Conditions { nodes: [("a".into(), condition)].into(), ..Conditions::default() };
        assert_eq!(world.severs(&the_link()), Severs::SomePorts);
        assert!(world.claims().iter().all(|claim| claim.severs() == Severs::SomePorts));
    }
}

/// Worlds are stored and read back as they were.
#[test]
fn worlds_survive_their_file() {
    let held = fresh().run(&world(), |world| {
        let text = serde_json::to_string(&world).expect("it is plain data");
        let back: Conditions = serde_json::from_str(&text).expect("it was just written");
        prop_assert_eq!(back, world);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

type Change<T> = fn(&T, &T, &mut T);

/// `and`, with each link then changed by `change(mine, theirs, result)`; who does not touch it has nothing to say about it.
fn changed(
    a: &Conditions,
    b: &Conditions,
    change: impl Fn(&LinkCondition, &LinkCondition, &mut LinkCondition),
) -> Conditions {
    let mut both = both(a, b);
    let untouched = LinkCondition::default();
    for (link, result) in &mut both.links {
        change(
            a.links.get(link).unwrap_or(&untouched),
            b.links.get(link).unwrap_or(&untouched),
            result,
        );
    }
    both
}

fn mixed(a: &Conditions, b: &Conditions, change: Change<LinkQuality>) -> Conditions {
    changed(a, b, |a, b, both| change(&a.quality, &b.quality, &mut both.quality))
}

fn everywhere(a: &Conditions, b: &Conditions, change: fn(&mut LinkQuality)) -> Conditions {
    changed(a, b, |_, _, both| change(&mut both.quality))
}

fn later_condition(a: &Conditions, b: &Conditions) -> Conditions {
    let mut both = both(a, b);
    both.nodes.extend(b.nodes.clone());
    both
}

fn later_fleets(a: &Conditions, b: &Conditions) -> Conditions {
    let mut both = both(a, b);
    both.fleets.extend(b.fleets.clone());
    both
}

/// `and`, with each node then changed by `change(mine, theirs, result)`; who does not touch it has nothing to say about it.
fn on_nodes(
    a: &Conditions,
    b: &Conditions,
    change: impl Fn(&NodeCondition, &NodeCondition, &mut NodeCondition),
) -> Conditions {
    let mut both = both(a, b);
    let untouched = NodeCondition::default();
    for (node, result) in &mut both.nodes {
        let (mine, theirs) = (a.nodes.get(node), b.nodes.get(node));
        change(mine.unwrap_or(&untouched), theirs.unwrap_or(&untouched), result);
    }
    both
}

fn mean_rate(a: &Conditions, b: &Conditions) -> Conditions {
    mixed(a, b, |a, b, both| {
        if let (Some(a), Some(b)) = (a.rate, b.rate) {
            both.rate = Some(BitRate((a.0 + b.0) / 2));
        }
    })
}

fn larger_mtu(a: &Conditions, b: &Conditions) -> Conditions {
    mixed(a, b, |a, b, both| both.mtu = a.mtu.zip(b.mtu).map(|(a, b)| a.max(b)))
}

fn joined<T: Clone>(a: &[T], b: &[T]) -> Vec<T> {
    [a, b].concat()
}

/// Few names, so that worlds touch the same places often.
fn node() -> impl Strategy<Value = NodeId> {
    prop_oneof![Just("a".into()), Just("b".into())]
}

fn link() -> impl Strategy<Value = Link> {
    node().prop_map(|node| Link::new(End::Node(node), End::Cell("assets".into())))
}

fn cut() -> impl Strategy<Value = Cut> {
    let ports = prop_oneof![Just(Ports::All), btree_set(1u16..4, 1..3).prop_map(Ports::Only)];
    let form = prop_oneof![Just(CutForm::Reject), Just(CutForm::Jam), Just(CutForm::Drop)];
    (ports, form).prop_map(|(ports, form)| Cut { ports, form })
}

/// Few values too, so that two of them are often equal.
fn chance() -> impl Strategy<Value = Chance> {
    (0u32..4).prop_map(|quarters| Chance(quarters * 250_000))
}

fn duration() -> impl Strategy<Value = Duration> {
    (0u64..5).prop_map(Duration::from_millis)
}

fn jitter() -> impl Strategy<Value = Jitter> {
    let shape = prop_oneof![
        Just(Shape::Uniform),
        Just(Shape::Normal),
        Just(Shape::Pareto),
        Just(Shape::ParetoNormal)
    ];
    (duration(), shape, chance()).prop_map(|(width, shape, correlation)| Jitter {
        width,
        shape,
        correlation,
    })
}

fn bursts() -> impl Strategy<Value = Bursts> {
    (chance(), chance(), chance(), chance()).prop_map(|(enter, leave, bad, good)| Bursts {
        enter,
        leave,
        bad,
        good,
    })
}

fn sorted<T: Ord + Debug>(any: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    vec(any, 0..3).prop_map(|mut list| {
        list.sort_unstable();
        list
    })
}

fn quality() -> BoxedStrategy<LinkQuality> {
    let chances = (sorted(chance()), sorted(chance()), sorted(chance()), sorted(chance()));
    let limits = (
        option::of((1u64..1000).prop_map(BitRate)),
        option::of(0u64..1000),
        option::of(68u32..1500),
    );
    let all = (duration(), sorted(jitter()), sorted(bursts()), chances, limits);
    let made = all.prop_map(
        |(delay, jitter, bursts, (loss, duplicate, corrupt, reorder), (rate, queue, mtu))| {
            LinkQuality {
                delay,
                jitter,
                loss,
                bursts,
                duplicate,
                corrupt,
                reorder,
                rate,
                queue,
                mtu,
            }
        },
    );
    made.boxed()
}

/// From zero on, with edges that two tracks often share.
fn track() -> BoxedStrategy<Track> {
    let later = btree_map(1u64..5, (quality(), any::<bool>()), 0..3);
    let slots = (quality(), any::<bool>(), later).prop_map(|(quality, up, later)| {
        let later = later.into_iter().map(|(from, (quality, up))| Slot {
            from: Duration::from_secs(from),
            quality,
            up,
        });
        Track {
            slots: [Slot { from: Duration::ZERO, quality, up }].into_iter().chain(later).collect(),
        }
    });
    prop_oneof![1 => Just(Track::default()), 4 => slots].boxed()
}

fn state() -> impl Strategy<Value = NodeState> {
    use NodeState::{Crashed, Frozen, PowerLost, Stopped, Terminated, Up};
    prop_oneof![
        Just(Up),
        Just(Stopped),
        Just(Frozen),
        Just(Terminated),
        Just(Crashed),
        Just(PowerLost)
    ]
}

fn process_state() -> impl Strategy<Value = ProcessState> {
    use ProcessState::{Crashed, Stopped, Terminated, Up};
    prop_oneof![Just(Up), Just(Stopped), Just(Terminated), Just(Crashed)]
}

fn fleet() -> impl Strategy<Value = FleetCondition> {
    use FleetState::{Disconnected, Online, Silent};
    let state = prop_oneof![Just(Online), Just(Disconnected), Just(Silent)];
    state.prop_map(|state| FleetCondition { state })
}

fn machine() -> impl Strategy<Value = NodeCondition> {
    let name = prop_oneof![Just("p".to_owned()), Just("q".to_owned())];
    let processes = btree_map(name, process_state(), 0..3);
    let disk = (duration(), sorted(chance()), any::<bool>(), any::<bool>())
        .prop_map(|(delay, error, full, stalled)| DiskCondition { delay, error, full, stalled });
    // The ends of the range too: a sum must not depend on its order there either.
    let shift = || prop_oneof![8 => -3i64..4, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let clock =
        (shift(), shift()).prop_map(|(offset_us, rate_ppm)| ClockCondition { offset_us, rate_ppm });
    (state(), processes, disk, clock).prop_map(|(state, processes, disk, clock)| NodeCondition {
        state,
        processes,
        disk,
        clock,
    })
}

fn world() -> BoxedStrategy<Conditions> {
    let condition = (btree_set(cut(), 0..3), quality())
        .prop_map(|(cuts, quality)| LinkCondition { cuts, quality });
    let cell = prop_oneof![Just("assets".into()), Just("others".into())];
    let fleets = btree_map(cell, fleet(), 0..3);
    (btree_map(link(), condition, 0..3), btree_map(node(), machine(), 0..3), fleets)
        .prop_map(|(links, nodes, fleets)| Conditions { links, nodes, fleets })
        .boxed()
}
