//! Path independence: after any sequence of worlds, asked for faster than the lab can follow, it equals a fresh lab that was given
//! only the last one. Nodes are judged by the kernel's own view of their processes, links by the policy in force.

use std::{collections::BTreeMap, io::ErrorKind};

use libtest_mimic::Failed;
use model::{
    Chance, Conditions, Cut, CutForm, LinkCondition, LinkQuality, NodeCondition, NodeId, NodeState,
    Ports, ProcessState, Topology,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use seams::Origin;
use wetdress_local::{EngineWish, Inside};

use crate::{
    echo,
    rig::{self, PORT, Rig, block_on},
};

#[derive(Debug, PartialEq)]
struct Picture {
    policy: Option<fabric::Policy>,
    /// Under power; and the state letter of its server in /proc, if it has one.
    nodes: BTreeMap<NodeId, (bool, Option<Life>)>,
}

#[derive(Debug, PartialEq)]
enum Life {
    Runs,
    Stands,
}

pub(crate) fn any_path_leads_to_the_same_world(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    let mut runner = TestRunner::deterministic();
    block_on(async {
        let mut travelled = Rig::open(inside.clone(), engine).await;
        for path in 0..6 {
            let worlds = proptest::collection::vec(world(rig::topology()), 2..6);
            let worlds = worlds.new_tree(&mut runner)?.current();
            let (last, before) = worlds.split_last().expect("two at least");
            for (index, passing) in before.iter().enumerate() {
                if (index + path) % 2 == 0 {
                    travelled.turn(passing.clone()).await
                } else {
                    let _overtaken = travelled.ask(passing.clone());
                }
            }
            travelled.turn(last.clone()).await;
            let fresh = Rig::open_with(inside.clone(), engine, rig::topology(), None, last.clone())
                .await
                .expect("a fresh lab opens");
            let path = format!("path {path}: {worlds:#?}");
            let meant = settled(&fresh, last).await;
            compare(&travelled, &meant, &path).await;
            fresh.close().await;
        }
        travelled.close().await;
        Ok(())
    })
}

/// All 81 transitions of a node and its process, one after the other in the same lab, against a fresh lab of each state.
pub(crate) fn every_state_follows_every_other(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    let world = |condition: &NodeCondition| Conditions {
        nodes: [("b".into(), condition.clone())].into(),
        ..Conditions::default()
    };
    let states: Vec<NodeCondition> = STATES
        .into_iter()
        .map(NodeCondition::from)
        .chain(PROCESS_STATES.into_iter().skip(1).map(echo_in))
        .collect();
    block_on(async {
        let mut fresh = Vec::new();
        for state in &states {
            let rig = Rig::open_with(inside.clone(), engine, rig::topology(), None, world(state))
                .await
                .expect("a fresh lab opens");
            fresh.push(settled(&rig, &world(state)).await);
            rig.close().await;
        }
        let mut travelled = Rig::open(inside, engine).await;
        for before in &states {
            for (after, fresh) in states.iter().zip(&fresh) {
                travelled.turn(world(before)).await;
                travelled.turn(world(after)).await;
                compare(&travelled, fresh, &format!("{before:?} -> {after:?}")).await;
            }
        }
        travelled.close().await;
        Ok(())
    })
}

/// The picture of a fresh lab. It is the measure, so it is itself held against what each state means.
async fn settled(fresh: &Rig, world: &Conditions) -> Picture {
    let node = |name: NodeId| {
        let life = match world.process(&name, "echo") {
            NodeState::Up => Some(Life::Runs),
            NodeState::Stopped | NodeState::Frozen => Some(Life::Stands),
            NodeState::Terminated | NodeState::Crashed | NodeState::PowerLost => None,
        };
        let is_powered = world.node(&name) != NodeState::PowerLost;
        (name, (is_powered, life))
    };
    let nodes = rig::topology().nodes.into_keys().map(node).collect();
    let meant = Picture { policy: fresh.lab.policy(), nodes };
    compare(fresh, &meant, &format!("fresh: {world:#?}")).await;
    meant
}

const STATES: [NodeState; 6] = [
    NodeState::Up,
    NodeState::Stopped,
    NodeState::Frozen,
    NodeState::Terminated,
    NodeState::Crashed,
    NodeState::PowerLost,
];

const PROCESS_STATES: [ProcessState; 4] =
    [ProcessState::Up, ProcessState::Stopped, ProcessState::Terminated, ProcessState::Crashed];

/// A node that is up, with its server in a state.
fn echo_in(state: ProcessState) -> NodeCondition {
    NodeCondition { processes: [("echo".into(), state)].into(), ..NodeCondition::default() }
}

/// A program that was just started has no command line in /proc for a moment, so they may differ at first.
async fn compare(travelled: &Rig, fresh: &Picture, path: &str) {
    let end = tokio::time::Instant::now() + rig::patience();
    let mut again = tokio::time::interval(std::time::Duration::from_millis(2));
    loop {
        let travelled = picture(travelled).await;
        if travelled == *fresh {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "{path}\n{travelled:#?}\n{fresh:#?}");
        again.tick().await;
    }
}

fn world(topology: Topology) -> impl Strategy<Value = Conditions> {
    let links: Vec<_> = topology.links().collect();
    let nodes: Vec<_> = topology.nodes.keys().cloned().collect();
    let ports = prop_oneof![Just(Ports::All), Just(Ports::Only([PORT].into()))];
    let forms = prop_oneof![Just(CutForm::Drop), Just(CutForm::Reject), Just(CutForm::Jam)];
    let cut = (ports, forms).prop_map(|(ports, form)| Cut { ports, form });
    let condition = (
        proptest::collection::btree_set(cut, 0..2),
        0..30u64,
        prop_oneof![Just(vec![]), Just(vec![Chance(10_000)])],
    );
    let condition = condition.prop_map(|(cuts, delay_ms, loss)| {
        let delay = std::time::Duration::from_millis(delay_ms);
        LinkCondition { cuts, quality: LinkQuality { delay, loss, ..LinkQuality::default() } }
    });
    let states =
        (proptest::sample::select(&STATES[..]), proptest::sample::select(&PROCESS_STATES[..]))
            .prop_map(|(state, process)| NodeCondition { state, ..echo_in(process) });
    let links = proptest::collection::btree_map(proptest::sample::select(links), condition, 0..5);
    let nodes = proptest::collection::btree_map(proptest::sample::select(nodes), states, 0..4);
    (links, nodes).prop_map(|(links, nodes)| Conditions { links, nodes, ..Conditions::default() })
}

async fn picture(rig: &Rig) -> Picture {
    let mut nodes = BTreeMap::new();
    for name in rig::topology().nodes.into_keys() {
        let probe = rig.network.udp(&Origin::node(&name)).await;
        let powered = !matches!(probe, Err(error) if error.kind() == ErrorKind::NetworkDown);
        nodes.insert(name.clone(), (powered, life(rig, &name)));
    }
    Picture { policy: rig.lab.policy(), nodes }
}

/// Of the echo server that works in this rig's folder.
fn life(rig: &Rig, node: &NodeId) -> Option<Life> {
    let home = std::fs::canonicalize(rig.folder.path().join("nodes").join(node.as_str()))
        .expect("the node has a folder");
    let processes =
        std::fs::read_dir("/proc").expect("a /proc").flatten().map(|entry| entry.path());
    let mut ours = processes.filter(|process| {
        let line = std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        line.contains(echo::WORD)
            && std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == home)
    });
    let state = ours.find_map(|process| {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    });
    match state? {
        'T' => Some(Life::Stands),
        'Z' | 'X' => None,
        _ => Some(Life::Runs),
    }
}
