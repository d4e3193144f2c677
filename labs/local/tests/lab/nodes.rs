//! What nodes suffer, as a peer sees it: a farewell, a pause, or silence.

use std::{io::ErrorKind, time::Duration};

use libtest_mimic::Failed;
use model::{Conditions, LabEvent, Lever, NodeCondition, NodeState, ProcessState, event::Place};
use seams::{Origin, Restart};
use wetdress_local::{EngineWish, Inside, Local};

use crate::rig::{self, OTHER_PORT, PORT, Rig, Talk, block_on, patience};

fn proves(sight: &LabEvent, wanted: Lever) -> bool {
    matches!(sight, LabEvent::Hit { lever, at: Place::Node(node), count: 1, .. } if *lever == wanted && node.as_str() == "b")
}

async fn talk_to_b(rig: &Rig) -> Talk {
    let mut talk = rig.connect(&Origin::cell(&rig::cell_name(), 3), "b", PORT).await;
    talk.ask("hello").await;
    talk
}

pub(crate) fn a_crash_says_goodbye(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        for (state, lever) in
            [(NodeState::Crashed, Lever::Crash), (NodeState::Terminated, Lever::Terminate)]
        {
            let mut talk = talk_to_b(&rig).await;
            rig.node_state("b", state).await;
            assert!(rig.seen.iter().any(|seen| proves(&seen.what, lever)));
            let exit = |sight: &LabEvent| matches!(sight, LabEvent::ProcessExited { node, asked: true, .. } if node.as_str() == "b");
            assert!(rig.seen.iter().any(|seen| exit(&seen.what)));
            let farewell = tokio::time::timeout(patience(), talk.try_hear()).await?;
            assert!(matches!(farewell, Ok(None)), "a FIN: {farewell:?}");
            // Its kernel lives and answers for the dead.
            let refused = rig
                .network
                .tcp(&Origin::node(&"a".into()), rig.network.address(&"b".into(), PORT))
                .await;
            assert_eq!(
                refused.map(drop).map_err(|error| error.kind()),
                Err(ErrorKind::ConnectionRefused)
            );
            rig.turn(Conditions::default()).await;
            talk_to_b(&rig).await;
            rig.seen.clear();
        }
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_stopped_node_keeps_its_connections(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut talk = talk_to_b(&rig).await;
        for (state, lever) in
            [(NodeState::Stopped, Lever::Stop), (NodeState::Frozen, Lever::Freeze)]
        {
            rig.node_state("b", state).await;
            assert!(rig.seen.iter().any(|seen| proves(&seen.what, lever)));
            talk.say("are you there").await;
            // Only a stopped process leaves a kernel behind that accepts; a frozen machine is still silent when others have long answered.
            let (from, to) = (Origin::node(&"a".into()), rig.network.address(&"b".into(), PORT));
            let others = async {
                for _ in 0..20 {
                    rig.connect(&from, "c", PORT).await.ask("hello").await;
                }
            };
            let accepted = tokio::select! {
                biased;
                accepted = rig.network.tcp(&from, to) => accepted.map(|_| true)?,
                () = others => false,
            };
            assert_eq!(accepted, state == NodeState::Stopped);
            assert!(talk.is_silent());
            rig.turn(Conditions::default()).await;
            assert_eq!(talk.hear().await, "are you there");
        }
        rig.close().await;
        Ok(())
    })
}

fn proves_beside(sight: &LabEvent, wanted: Lever) -> bool {
    let LabEvent::Hit { lever, at: Place::Process { node, process }, count: 1, .. } = sight else {
        return false;
    };
    *lever == wanted && node.as_str() == "b" && process == "beside"
}

pub(crate) fn one_process_dies_alone(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open_pairs(inside, engine).await?;
        let mut other = talk_to_b(&rig).await;
        let from = Origin::node(&"a".into());
        for (state, lever) in
            [(ProcessState::Crashed, Lever::Crash), (ProcessState::Terminated, Lever::Terminate)]
        {
            let mut talk = rig.connect(&from, "b", OTHER_PORT).await;
            talk.ask("hello").await;
            rig.process_state("b", "beside", state).await;
            assert!(rig.seen.iter().any(|seen| proves_beside(&seen.what, lever)));
            let exits: Vec<&String> = rig
                .seen
                .iter()
                .filter_map(|seen| match &seen.what {
                    LabEvent::ProcessExited { process, asked: true, .. } => Some(process),
                    _ => None,
                })
                .collect();
            assert_eq!(exits, ["beside"]);
            let farewell = tokio::time::timeout(patience(), talk.try_hear()).await?;
            assert!(matches!(farewell, Ok(None)), "a FIN: {farewell:?}");
            let refused =
                rig.network.tcp(&from, rig.network.address(&"b".into(), OTHER_PORT)).await;
            assert_eq!(
                refused.map(drop).map_err(|error| error.kind()),
                Err(ErrorKind::ConnectionRefused)
            );
            other.ask("you live").await;
            rig.turn(Conditions::default()).await;
            rig.connect(&from, "b", OTHER_PORT).await.ask("again").await;
            other.ask("you never died").await;
            rig.seen.clear();
        }
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn one_process_stands_still_alone(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open_pairs(inside, engine).await?;
        let mut other = talk_to_b(&rig).await;
        let mut talk = rig.connect(&Origin::node(&"a".into()), "b", OTHER_PORT).await;
        talk.ask("hello").await;
        rig.process_state("b", "beside", ProcessState::Stopped).await;
        assert!(rig.seen.iter().any(|seen| proves_beside(&seen.what, Lever::Stop)));
        talk.say("are you there").await;
        for _ in 0..20 {
            other.ask("you run").await;
        }
        assert!(talk.is_silent());
        // Another process of the node ends and comes back meanwhile: the one that stands still does not move.
        let stopped = ("beside".to_owned(), ProcessState::Stopped);
        let crashed = ("echo".to_owned(), ProcessState::Crashed);
        let both = NodeCondition { processes: [stopped, crashed].into(), ..Default::default() };
        rig.turn(Conditions { nodes: [("b".into(), both)].into(), ..Default::default() }).await;
        rig.process_state("b", "beside", ProcessState::Stopped).await;
        talk_to_b(&rig).await;
        assert!(talk.is_silent());
        rig.turn(Conditions::default()).await;
        assert_eq!(talk.hear().await, "are you there");
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn lost_power_is_silence(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut talk = talk_to_b(&rig).await;
        rig.node_state("b", NodeState::PowerLost).await;
        assert!(rig.seen.iter().any(|seen| proves(&seen.what, Lever::PowerLoss)));
        let probe = rig
            .network
            .tcp(&Origin::node(&"b".into()), rig.network.address(&"b".into(), PORT))
            .await;
        assert_eq!(probe.map(drop).map_err(|error| error.kind()), Err(ErrorKind::NetworkDown));
        assert!(talk.is_silent(), "no farewell");
        rig.turn(Conditions::default()).await;
        let mut again = talk_to_b(&rig).await;
        // A whole conversation later the dead kernel has still not said a word.
        assert!(talk.is_silent(), "no farewell from the dead kernel");
        talk.say("do you remember").await;
        let forgotten = tokio::time::timeout(patience(), talk.try_hear()).await?;
        assert_eq!(forgotten.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        again.ask("new life").await;
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn an_own_end_is_told(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        talk_to_b(&rig).await.say("exit 3").await;
        let ended = |sight: &LabEvent| matches!(sight, LabEvent::ProcessExited { asked: false, status, .. } if status == "exited with code 3");
        rig.until("its end", ended).await;
        // Nobody wanted it to end, and nobody starts it behind the user's back.
        rig.node_state("c", NodeState::Crashed).await;
        let refused = rig
            .network
            .tcp(&Origin::node(&"a".into()), rig.network.address(&"b".into(), PORT))
            .await;
        assert_eq!(
            refused.map(drop).map_err(|error| error.kind()),
            Err(ErrorKind::ConnectionRefused)
        );
        rig.node_state("b", NodeState::Crashed).await;
        rig.turn(Conditions::default()).await;
        talk_to_b(&rig).await;
        rig.close().await;
        Ok(())
    })
}

/// A failure is told and followed by a start; a success stays ended, and so does whatever a window wants down.
pub(crate) fn what_fails_is_started_again(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    let ended = |sight: &LabEvent, code: u8| matches!(sight, LabEvent::ProcessExited { asked: false, status, .. } if *status == format!("exited with code {code}"));
    let started = |sight: &LabEvent| matches!(sight, LabEvent::ProcessStarted { node, .. } if node.as_str() == "b");
    block_on(async {
        let restart = Restart::OnFailure { wait: Duration::from_millis(20) };
        let topology = rig::topology();
        let mut processes = rig::processes(&topology, None);
        processes.values_mut().flatten().for_each(|process| process.restart = restart);
        let params = Local { engine, ..Local::default() };
        let mut rig =
            Rig::open_running(inside, params, topology, processes, Conditions::default()).await?;
        rig.until("its start", started).await;
        for _ in 0..2 {
            talk_to_b(&rig).await.say("exit 3").await;
            rig.until("its end", |sight| ended(sight, 3)).await;
            rig.until("its next start", started).await;
        }
        talk_to_b(&rig).await.say("exit 3").await;
        rig.until("its end", |sight| ended(sight, 3)).await;
        rig.node_state("b", NodeState::Crashed).await;
        rig.seen.clear();
        for _ in 0..50 {
            rig.connect(&Origin::node(&"a".into()), "c", PORT).await.ask("hello").await;
        }
        rig.node_state("b", NodeState::Crashed).await;
        assert!(!rig.seen.iter().any(|seen| started(&seen.what)), "{:?}", rig.seen);
        rig.turn(Conditions::default()).await;
        talk_to_b(&rig).await.say("exit 0").await;
        rig.until("its end", |sight| ended(sight, 0)).await;
        rig.seen.clear();
        rig.node_state("b", NodeState::Crashed).await;
        assert!(!rig.seen.iter().any(|seen| started(&seen.what)), "{:?}", rig.seen);
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_lost_init_is_a_crash(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let victim = init_of("b").ok_or("b has an init")?;
        rustix::process::kill_process(victim, rustix::process::Signal::KILL)?;
        let lost = |sight: &LabEvent| matches!(sight, LabEvent::ProcessExited { node, asked: false, .. } if node.as_str() == "b");
        rig.until("its end", lost).await;
        rig.node_state("b", NodeState::Stopped).await;
        rig.turn(Conditions::default()).await;
        talk_to_b(&rig).await;
        rig.close().await;
        Ok(())
    })
}

/// The parent of the server that was started for this node.
fn init_of(node: &str) -> Option<rustix::process::Pid> {
    let words = format!("{}\0{node}\0", crate::echo::WORD);
    let mut processes = std::fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let server = processes.find(|process| {
        std::fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.contains(&words))
    })?;
    let stat = std::fs::read_to_string(server.join("stat")).ok()?;
    let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    rustix::process::Pid::from_raw(parent)
}
